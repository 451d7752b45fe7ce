"""A Fastly Compute service without statsig_fastly: what its component is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastly_compute.wsgi import WsgiHttpIncoming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers with an empty object."""
    del environ
    start_response("200 OK", [("content-type", "application/json")])
    return [b"{}"]


HttpIncoming = WsgiHttpIncoming(app)
