"""A backend that is a real server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3

from compute.fastly import Ask, Body, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from event_sink import EventSink

__all__ = ["forward_to"]


def forward_to(sink: EventSink) -> Callable[[Ask], Response]:
    """What Fastly does for a backend: the host is that of its settings, path and headers the service's."""
    pool = urllib3.PoolManager()

    def forward(request: Ask) -> Response:
        path = request.uri.partition("://")[2].partition("/")[2]
        answer = pool.request(
            request.method,
            f"{sink.base}/{path}",
            body=bytes(request.body.data),
            headers={name: value.decode("latin-1") for name, value in request.headers.items()},
        )
        headers = {name.lower(): value.encode() for name, value in answer.headers.items()}
        return Response(answer.status, headers, Body(bytearray(answer.data)))

    return forward
