"""A collector on loopback that takes every event, for whichever SDK sends them."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["EventSink", "Sent"]


@dataclass(frozen=True)
class Sent:
    """One request.

    Attributes:
        path: Path and query.
        headers: Header values by lower-case name.
        raw: The request's body as it came.
        text: The body, decompressed.
    """

    path: str
    headers: dict[str, str]
    raw: bytes = field(repr=False)
    text: bytes = field(repr=False)

    @property
    def body(self) -> dict[str, Any]:
        """The body, read."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        text = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.arrived:
            self.server.requests.append(Sent(self.path, headers, raw, text))
            self.server.arrived.notify_all()
        answer = b'{"success":true}'
        self.send_response(202)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
        """Keeps the output of the tests clean."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Sent] = []
        self.arrived = threading.Condition()


class EventSink:
    """Keeps what it is sent. A context manager."""

    def __init__(self) -> None:
        self._server = _Server()
        # The interval is how long closing takes.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def base(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Where events are to be sent."""
        return f"{self.base}/v1/log_event"

    @property
    def requests(self) -> list[Sent]:
        """What came so far."""
        with self._server.arrived:
            return list(self._server.requests)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that came so far, in order."""
        return [event for sent in self.requests for event in sent.body["events"]]

    def take(self) -> list[dict[str, Any]]:
        """The events that came so far, which are forgotten then."""
        with self._server.arrived:
            requests, self._server.requests[:] = list(self._server.requests), []
        return [event for sent in requests for event in sent.body["events"]]

    def wait_for(self, events: int, timeout: float = 30) -> list[dict[str, Any]]:
        """The events, as soon as there are so many."""
        with self._server.arrived:
            enough = self._server.arrived.wait_for(
                lambda: sum(len(sent.body["events"]) for sent in self._server.requests) >= events, timeout
            )
        assert enough, f"{len(self.events)} of {events} events came within {timeout} s"
        return self.events

    def close(self) -> None:
        """Stops taking events."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
