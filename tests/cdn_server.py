"""A stand-in for Statsig's CDN that goes on while what it has is replaced."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["CdnServer"]


class CdnServer:
    """Serves one payload, or that there is nothing new since the time it is told.

    Attributes:
        payload: What it serves.
        specs_url: The option of that name.
    """

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = owner.answer(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.specs_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/download_config_specs"

    def answer(self, target: str) -> bytes:
        """The body for a question."""
        since = parse_qs(urlsplit(target).query).get("sinceTime", [""])[0]
        try:
            time = json.loads(self.payload)["time"]
        except ValueError:
            return self.payload
        return b'{"has_updates": false}' if since == str(time) else self.payload

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
