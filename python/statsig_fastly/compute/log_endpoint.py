"""Events through a log endpoint of a Fastly Compute service: no request is made, and nothing is waited for.

In: a `Request` with a batch of events. Out: lines of JSON, each the body of a log_event request of its own:
what receives the log can pass them on as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly.adapters.checks import check_count, check_text
from statsig_fastly.compute.faults import NOT_INSIDE, fault_text
from statsig_fastly.events.batches import is_gzip
from statsig_fastly.transport import Response, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly.transport import Request

__all__ = ["LogEndpointTransport"]

_GZIP = 31  # the `wbits` of a gzip container


class LogEndpointTransport:
    """Writes events to a log endpoint, as lines `{"events":[...],"statsigMetadata":{...}}`.

    Whether the lines arrive nobody says: they count as sent. One that has a single event may be longer than
    the limit.

    Args:
        endpoint: Name of the endpoint. Fastly accepts writes to one that does not exist, and drops them.
        line_bytes: How long a line may be, in bytes.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The name is empty, or the length is not above zero.
    """

    def __init__(self, endpoint: str, *, line_bytes: int = 16_000) -> None:
        self._endpoint = check_text("endpoint", endpoint)
        self._line_bytes = check_count("line_bytes", line_bytes)

    def send(self, request: Request) -> Response:
        """Writes the events of a log_event request.

        Returns:
            An answer that says that they were accepted.

        Raises:
            TransportError: The endpoint cannot be written to.
        """
        who = f"log endpoint {self._endpoint!r}"
        try:
            from wit_world.imports import log
        except ImportError:
            raise TransportError(f"{who}: {NOT_INSIDE}", reason="unreachable") from None
        try:
            with log.Endpoint.open(self._endpoint) as endpoint:
                for line in lines(request.body or b"", self._line_bytes):
                    endpoint.write(line)
        except Exception as error:  # one of several classes, or raw  # noqa: BLE001
            raise TransportError(f"{who}: {fault_text(error)}", reason="unreachable") from None
        return Response(202, {}, b'{"success":true}')

    def close(self) -> None:
        """Does nothing; no endpoint stays open."""

    def __repr__(self) -> str:
        return f"LogEndpointTransport({self._endpoint!r})"


def lines(body: bytes, most: int) -> Iterator[bytes]:
    """The events of a log_event body, in bodies of at most `most` bytes where one event is no longer.

    Args:
        body: JSON, compressed with gzip or not.
        most: How long a line may be, in bytes.
    """
    import json
    import zlib

    whole = json.loads(zlib.decompress(body, _GZIP) if is_gzip(body) else body)
    events: list[str] = [_compact(event) for event in whole.pop("events")]
    rest = _compact(whole)[1:]
    frame = len('{"events":[],') + len(rest)
    taken: list[str] = []
    length = frame
    for event in events:
        # Compact JSON is ASCII: a character is a byte.
        if taken and length + len(event) + 1 > most:
            yield _line(taken, rest)
            taken, length = [], frame
        taken.append(event)
        length += len(event) + 1
    if taken:
        yield _line(taken, rest)


def _compact(value: object) -> str:
    import json

    return json.dumps(value, separators=(",", ":"))


def _line(events: list[str], rest: str) -> bytes:
    joined = ",".join(events)
    return f'{{"events":[{joined}]{"," if len(rest) > 1 else ""}{rest}'.encode()
