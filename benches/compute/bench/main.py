"""A Fastly Compute service that tells what its work costs: see `measure.py`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import checks
from cpu import cpu_seconds

from statsig_fastly import ComputeKVAdapter, Statsig, StatsigOptions, StatsigUser, SyncPolicy
from statsig_fastly.compute.backend import BackendTransport
from statsig_fastly.compute.wsgi import StatsigHttpIncoming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ADAPTER = ComputeKVAdapter("statsig", "statsig-specs")


class _Kept:
    """The adapter, with what it reads timed."""

    name = ADAPTER.name
    read_s = 0.0

    def fetch(self, held_version: str | None = None) -> Any:
        """Reads the value."""
        started = cpu_seconds()
        try:
            return ADAPTER.fetch(held_version)
        finally:
            self.read_s = cpu_seconds() - started

    def close(self) -> None:
        """Does nothing."""


adapter = _Kept()
statsig = Statsig(
    "secret-bench",
    StatsigOptions(
        data_adapter=adapter,
        sync_policy=SyncPolicy.on_request(max_age=10),
        log_event_transport=BackendTransport("statsig"),
    ),
)
last: dict[str, float] = {}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers with what the request before cost, or with what checks cost."""
    began = cpu_seconds()
    query = parse_qs(environ["QUERY_STRING"])
    answer: dict[str, Any] = {"before": dict(last)}
    if "checks" in query:
        payload = ADAPTER.fetch()
        assert payload is not None
        answer = {"checks": checks.microseconds(payload.body), "loads": checks.loads(payload.body)}
    else:
        if not statsig.is_ready:
            statsig.initialize().wait()
        started = cpu_seconds()
        answer["gate"] = statsig.check_gate(StatsigUser(query["userID"][0]), "test_fastly")
        ended = cpu_seconds()
        last.update(read=adapter.read_s, load=started - began - adapter.read_s, check=ended - started)
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(answer).encode()]


class _Timed(StatsigHttpIncoming):
    def _answer(self, environ: WSGIEnvironment, closing: list[Any]) -> Any:
        started = cpu_seconds()
        try:
            return super()._answer(environ, closing)
        finally:
            last["answer"] = cpu_seconds() - started

    def _after(self) -> None:
        started = cpu_seconds()
        super()._after()
        ended = cpu_seconds()
        last["after"] = ended - started
        last["a call"] = cpu_seconds() - ended


HttpIncoming = _Timed(app, statsig, reuse_sandboxes_for_ms=1000)
