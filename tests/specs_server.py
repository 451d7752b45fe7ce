"""A stand-in for Statsig's CDN on loopback, for whichever SDK asks: answers in order, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from loopback import Listener, Peer, http

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["NO_UPDATES", "Asked", "SpecsServer"]

NO_UPDATES = http(200, b'{"has_updates":false}')


@dataclass(frozen=True)
class Asked:
    """One request for config specs.

    Attributes:
        method: HTTP method.
        path: Path, percent-encoded.
        query: Names and values of the query as they were sent but for percent-encoding undone once.
        headers: Header values by lower-case name; each was sent once.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, request: bytes) -> Asked:
        first, *lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1"
        parts = urlsplit(target)
        headers = [(line.partition(": ")[0].lower(), line.partition(": ")[2]) for line in lines]
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        assert len(dict(headers)) == len(headers)
        assert len(dict(query)) == len(query)
        return cls(method, parts.path, dict(query), dict(headers))


class SpecsServer:
    """Gives each request for config specs the next of its answers, and goes on with the last.

    Args:
        answers: Bytes as they are sent. None: the connection is reset.

    Attributes:
        url: `http://127.0.0.1:<port>`.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self._listener = Listener(self._serve)
        self.url = self._listener.url

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.__exit__(kind, error, trace)

    @property
    def specs_url(self) -> str:
        """The option of that name."""
        return f"{self.url}/v2/download_config_specs"

    @property
    def connections(self) -> int:
        """How many were made."""
        return self._listener.connections

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.partition("//")[2]

    @property
    def asked(self) -> list[Asked]:
        """The requests for config specs so far."""
        requests = [Asked.of(request) for request in self._listener.received if request.startswith(b"GET ")]
        return [request for request in requests if "/download_config_specs/" in request.path]

    def answer(self, *answers: bytes | None) -> None:
        """Answers like this from now on."""
        self._answers[:] = answers

    def _serve(self, peer: Peer) -> None:
        while request := peer.request():
            if b"/download_config_specs/" not in request.partition(b"\r\n")[0]:
                peer.send(http(202, b'{"success":true}'))
                continue
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is None:
                peer.reset()
                return
            peer.send(answer)
