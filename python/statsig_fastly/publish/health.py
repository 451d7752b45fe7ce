"""Telling others how a watch goes: a file, or an address that answers 200 while all is well, and else 503."""

from __future__ import annotations

import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from statsig_fastly.publish.directory_store import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statsig_fastly.publish.watch import WatchState

__all__ = ["Health"]


class Health:
    """What is known of a watch.

    Args:
        within: For how many seconds a look that succeeded counts.
        file: Where to write it after each look; None for nowhere.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, within: float, file: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._within = within
        self._file = file
        self._clock = clock
        self._state: WatchState | None = None
        self._server: ThreadingHTTPServer | None = None

    def note(self, state: WatchState) -> None:
        """Notes how a look went.

        Raises:
            OSError: The file could not be written.
        """
        self._state = state
        if self._file is not None:
            replace_file(self._file, self.text)

    @property
    def text(self) -> bytes:
        """What is told, as a line of JSON."""
        return json.dumps(self.to_dict()).encode() + b"\n"

    def to_dict(self) -> dict[str, Any]:
        """What is told, as JSON data."""
        state = self._state
        if state is None:
            return {"healthy": False, "outcome": "starting"}
        return {"healthy": state.is_healthy(self._clock(), self._within), **state.to_dict()}

    def serve(self, host: str, port: int) -> int:
        """Answers GET requests from now on, and returns the port.

        Raises:
            OSError: The address cannot be used.
        """
        server = ThreadingHTTPServer((host, port), _handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="statsig-fastly health", daemon=True).start()
        self._server = server
        return int(server.server_address[1])

    def close(self) -> None:
        """Stops to answer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = health.to_dict()
            body = json.dumps(told).encode() + b"\n"
            self.send_response(HTTPStatus.OK if told["healthy"] else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Nothing: probes come every few seconds."""

    return Handler
