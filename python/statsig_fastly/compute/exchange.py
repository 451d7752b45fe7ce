"""One exchange with the host of a Compute service, in the terms of WSGI (PEP 3333).

In: a request of the host; a status, fields and a body. Out: the environment of an application; a response of
the host. The adapter that comes with `fastly_compute` leaves paths encoded, drops what follows a `;` in them,
takes no URL above 2,048 characters, and sends a large body in part where the host takes it in parts.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["body_of", "environment", "fields", "respond"]

_PORTS = {"http": "80", "https": "443"}
_PIECE_BYTES = 64 * 1024
# More than Fastly lets through: 8 KB of a URL, and 128 KB of header fields.
_MOST_BYTES = 256 * 1024


def environment(request: Any, body: Any, *, run_once: bool) -> WSGIEnvironment:  # noqa: ANN401 - the host's
    """What a WSGI application is called with.

    Fields whose names have underscores are left out: they could pass for others that have hyphens.

    Args:
        request: The host's request.
        body: Its body. It is read when the application does.
        run_once: True if the application is called only once in this sandbox.
    """
    from urllib.parse import unquote_to_bytes, urlsplit

    from fastly_compute.utils import create_body_reader

    url = urlsplit(request.get_uri(_MOST_BYTES))
    scheme = url.scheme or "http"
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.get_method(_MOST_BYTES),
        "SCRIPT_NAME": "",
        # Bytes are letters of Latin-1 there.
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query.encode().decode("latin-1"),
        "SERVER_NAME": url.hostname or "localhost",
        "SERVER_PORT": str(url.port or _PORTS.get(scheme, "80")),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc or "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": create_body_reader(body),
        # The body ends where it ends, whatever its length was said to be.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": run_once,
    }
    for name, values in fields(request):
        if "_" not in name:
            key = name.upper().replace("-", "_")
            if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
                key = f"HTTP_{key}"
            separator = b"; " if name == "cookie" else b", "
            environ[key] = separator.join(values).decode("latin-1")
    return environ


def respond(status: str, headers: Iterable[tuple[str, str]], parts: Iterable[bytes]) -> None:
    """Sends a response.

    Raises:
        Exception: Something is not as WSGI wants it, or the host does not take it. Then nothing was sent.
    """
    from wit_world.imports import http_resp

    response = http_resp.Response.new()
    response.set_status(int(status.partition(" ")[0]))
    for name, value in headers:
        response.append_header(name, value.encode("latin-1"))
    http_resp.send_downstream(response, body_of(parts))


def body_of(parts: Iterable[bytes]) -> Any:  # noqa: ANN401 - the host's
    """A body of the host with all of that in it."""
    from wit_world.imports import http_body

    body = http_body.new()
    for part in parts:
        left = memoryview(part)
        while left:
            # It may take less than it is given.
            left = left[http_body.write(body, bytes(left[:_PIECE_BYTES])) :]
    return body


def fields(message: Any) -> Iterator[tuple[str, Sequence[bytes]]]:  # noqa: ANN401 - the host's
    """The names of header fields, in lower case, and all values of each."""
    at: int | None = 0
    while at is not None:
        names, at = message.get_header_names(_MOST_BYTES, at)
        for name in filter(None, names.split("\0")):
            values: list[bytes] = []
            value_at: int | None = 0
            while value_at is not None:
                found, value_at = message.get_header_values(name, _MOST_BYTES, value_at)
                # Each ends with a NUL.
                values += found.split(b"\0")[:-1]
            yield name.lower(), values
