"""One log_event request: what is sent with a batch, and what the answer means.

In: a `Batch`. Out: a `Verdict`. Nothing is kept and nothing is tried twice here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from statsig_fastly.errors import described
from statsig_fastly.events.batches import is_gzip
from statsig_fastly.retry_after import retry_after
from statsig_fastly.transport import HttpTransport, Request, TransportError, user_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statsig_fastly.events.batches import Batch
    from statsig_fastly.transport import Response, Transport

__all__ = ["Collector", "Verdict", "event_metadata", "load"]

_REQUEST_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 3.0
_ANSWER_BYTES = 64 * 1024

_RETRIED = frozenset({408, 425, 429})
_NOT_IMPLEMENTED = 501
_TOO_LARGE = 413

# Header and field of the metadata it repeats.
_FROM_METADATA = {
    "statsig-sdk-type": "sdkType",
    "statsig-sdk-version": "sdkVersion",
    "statsig-server-session-id": "sessionID",
    "x-request-service": "service_name",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a request.

    Attributes:
        kind: `accepted`; `retry` (the same may succeed later); `refused` (it never will);
            `too_large` (its halves may).
        reason: One line for people, without the SDK key; empty if accepted.
        status: HTTP status, or None if there was none.
        retry_after: Seconds the server wants to be left alone, or None if it did not say.
    """

    kind: Literal["accepted", "retry", "refused", "too_large"]
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A URL that can be shown, and what cannot.

    Attributes:
        url: Without user name and password.
        host: Host and port.
        authorization: The header field that says user name and password instead, or None.
    """

    url: str = field(repr=False)  # its query may be a secret
    host: str
    authorization: str | None = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """Takes a URL apart. Names and passwords in it are percent-encoded."""
        scheme, _, rest = url.partition("://")
        end = min((rest.index(mark) for mark in "/?#" if mark in rest), default=len(rest))
        user, at, host = rest[:end].rpartition("@")
        if not at:
            return cls(url, host, None)
        from base64 import b64encode
        from urllib.parse import unquote_to_bytes

        authorization = f"Basic {b64encode(unquote_to_bytes(user)).decode()}"
        return cls(f"{scheme}://{host}{rest[end:]}", host, authorization)

    def __str__(self) -> str:
        return self.url.partition("?")[0]


class Collector:
    """Where batches are sent to.

    Attributes:
        address: Its URL.
    """

    def __init__(self, url: str, sdk_key: str, transport: Transport, wall: Callable[[], float]) -> None:
        self.address = Address.of(url)
        self._sdk_key = sdk_key
        self._transport = transport
        self._wall = wall

    def post(self, batch: Batch, metadata: Mapping[str, object], time_left: float | None) -> Verdict:
        """Sends a batch once. Never raises an `Exception`.

        Args:
            batch: What to send.
            metadata: The SDK's description of itself, as in the body.
            time_left: Seconds the request may take, if less than usual.
        """
        total = _REQUEST_TIMEOUT_S if time_left is None else max(0.001, min(_REQUEST_TIMEOUT_S, time_left))
        request = Request(
            method="POST",
            url=self.address.url,
            headers=self._headers(batch, metadata),
            body=batch.body,
            connect_timeout=min(_CONNECT_TIMEOUT_S, total),
            read_timeout=total,
            total_timeout=total,
            max_body_bytes=_ANSWER_BYTES,
        )
        try:
            response = self._transport.send(request)
        except TransportError as error:
            return Verdict("retry", self._safe(str(error)), error.status)
        except Exception as error:  # a transport of the user's own may raise anything  # noqa: BLE001
            return Verdict("retry", self._safe(described(error)))
        return self._judge(response)

    def _headers(self, batch: Batch, metadata: Mapping[str, object]) -> dict[str, str]:
        headers = {
            "statsig-api-key": self._sdk_key,
            "statsig-client-time": str(int(self._wall() * 1000)),
            "statsig-event-count": str(batch.count),
            "statsig-retry-count": str(batch.retries),
            "x-request-service": "unknown",
            "content-type": "application/json",
        }
        for header, name in _FROM_METADATA.items():
            if metadata.get(name) is not None:
                # As UTF-8, one letter for each byte: what a header field can hold.
                headers[header] = str(metadata[name]).encode().decode("latin-1")
        if is_gzip(batch.body):
            headers["content-encoding"] = "gzip"
        if self.address.authorization is not None:
            headers["authorization"] = self.address.authorization
        return headers

    def _judge(self, response: Response) -> Verdict:
        status = response.status
        answered = f"{self.address.host} answered {status}"
        if status in range(200, 300):
            trouble = _trouble_with(response.body)
            return Verdict("retry", f"{answered} {trouble}", status) if trouble else Verdict("accepted")
        if status == _TOO_LARGE:
            return Verdict("too_large", answered, status)
        if status in _RETRIED or (status in range(500, 600) and status != _NOT_IMPLEMENTED):
            return Verdict("retry", answered, status, retry_after(response.headers, self._wall()))
        return Verdict("refused", answered, status)

    def _safe(self, text: str) -> str:
        if self.address.authorization is not None:
            text = text.replace(self.address.authorization, "<authorization>")
        return text.replace(self._sdk_key, "<sdk key>")


def load(transport: Transport) -> None:
    """Imports everything that making, sending and understanding a request needs."""
    import email.utils
    import encodings.idna  # for looking up a host name
    import json
    import platform
    import random
    import zlib

    del email, encodings, json, platform, random, zlib
    if isinstance(transport, HttpTransport):
        import statsig_fastly.transport_pool

        del statsig_fastly
        user_agent()


def _trouble_with(body: bytes) -> str:
    """Why the body of a 2xx answer is no confirmation; empty if it is one."""
    import json

    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "without JSON"
    if not isinstance(answer, dict):
        return "without a JSON object"
    return "with success: false" if answer.get("success") is False else ""


def event_metadata(session_id: str, service_name: str | None = None) -> dict[str, str]:
    """What an SDK says about itself in every log_event request, under the official field names."""
    import platform

    from statsig_fastly._native import __version__

    metadata = {
        "sdkType": "statsig-fastly-python",
        "sdkVersion": __version__,
        "sessionID": session_id,
        "os": {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform),
        "arch": {"amd64": "x86_64", "arm64": "aarch64"}.get(
            platform.machine().lower(), platform.machine().lower()
        ),
        "languageVersion": sys.version,
    }
    if service_name is not None:
        metadata["service_name"] = service_name
    return metadata
