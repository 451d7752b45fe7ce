"""A plain HTTP client for the emulator's tests, and a clock that stands still."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from statsig_fastly.emulator import Emulator

KV = "/resources/stores/kv"
CONFIG = "/resources/stores/config"


class Api:
    """Calls one emulator over one connection pool; never retries, never follows a redirect."""

    def __init__(self, emulator: Emulator, *, token: str | None = None) -> None:
        self._url = emulator.url
        self._token = emulator.token if token is None else token
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0, maxsize=8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        sent = {"Fastly-Key": self._token, **(headers or {})}
        if not sent["Fastly-Key"]:
            del sent["Fastly-Key"]
        return self._pool.request(
            method, self._url + path, body=body, headers=sent, preload_content=preload, redirect=False
        )

    def json(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        answer = self.call(method, path, None if body is None else json.dumps(body))
        assert answer.status == status, answer.data
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()

    def form(self, method: str, path: str, body: str) -> urllib3.BaseHTTPResponse:
        return self.call(method, path, body, headers={"Content-Type": "application/x-www-form-urlencoded"})


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: float = 1_750_707_676.25) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
