"""Events through a backend of a Fastly Compute service: a `Transport` without sockets.

In: a `Request`. Out: a `Response` or a `TransportError`. Where a backend is, the service's settings say.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from statsig_fastly.adapters.checks import check_text
from statsig_fastly.compute.exchange import body_of, fields
from statsig_fastly.compute.faults import NOT_INSIDE, fault_name, fault_text
from statsig_fastly.transport import ERROR_BODY_BYTES, Response, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly.transport import Request

__all__ = ["BackendTransport"]

_PIECE_BYTES = 64 * 1024
_SECRET_BYTES = 64 * 1024
_LONGEST_MS = (1 << 32) - 1
_KEY_HEADER = "statsig-api-key"


class BackendTransport:
    """Sends each request through one backend of the service.

    The backend says which host is asked, over TLS or not; the URL of a request gives its path and its `Host`.

    Args:
        backend: Name of the backend.
        sdk_key_secret: Name of a Secret Store and of a secret in it that holds the SDK key. It takes the
            place of the client's key in what is sent, so that none has to be in the component. It is read
            once in each sandbox.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A name is empty.
    """

    def __init__(self, backend: str = "statsig", *, sdk_key_secret: tuple[str, str] | None = None) -> None:
        self._backend = check_text("backend", backend)
        if sdk_key_secret is not None:
            if not isinstance(sdk_key_secret, tuple) or len(sdk_key_secret) != len(("store", "name")):
                expected = "a tuple of the name of a Secret Store and of a secret"
                raise TypeError(f"sdk_key_secret: expected {expected}, got {type(sdk_key_secret).__name__}")
            for name in sdk_key_secret:
                check_text("sdk_key_secret", name)
        self._secret = sdk_key_secret
        self._sdk_key: str | None = None

    def send(self, request: Request) -> Response:
        """Does one exchange.

        Raises:
            TransportError: There is no whole answer.
        """
        try:
            from wit_world.imports import async_io, backend, http_req
        except ImportError:
            raise TransportError(f"backend {self._backend!r}: {NOT_INSIDE}", reason="unreachable") from None
        end = time.monotonic() + request.total_timeout
        # Raised at the end: a traceback through the bindings would drag along frames that hold the headers.
        try:
            with backend.Backend.open(self._backend) as opened:
                pending = http_req.send_async(self._written(request), body_of([request.body or b""]), opened)
                time_left = min(max(1, int(request.total_timeout * 1000)), _LONGEST_MS)
                if async_io.select_with_timeout([pending], time_left) is None:
                    fault = self._timeout(request)
                else:
                    response, body = http_req.await_response(pending)
                    with response, body:
                        return self._received(request, end, response, body)
        except TransportError as error:
            fault = error
        except Exception as error:  # one of several classes, or raw  # noqa: BLE001
            fault = self._failed(error)
        raise fault from None

    def close(self) -> None:
        """Does nothing; the host keeps the connections."""

    def __repr__(self) -> str:
        return f"BackendTransport({self._backend!r})"

    def _written(self, request: Request) -> Any:  # noqa: ANN401
        from wit_world.imports import http_req

        written = http_req.Request.new()
        written.set_method(request.method)
        written.set_uri(request.url)
        for name, value in self._headers(request).items():
            written.insert_header(name, value.encode("latin-1", "replace"))
        return written

    def _headers(self, request: Request) -> Mapping[str, str]:
        headers = {"host": request.url.partition("://")[2].partition("/")[0], **request.headers}
        if self._secret is not None and _KEY_HEADER in headers:
            headers[_KEY_HEADER] = self._secret_key(*self._secret)
        return headers

    def _secret_key(self, store_name: str, name: str) -> str:
        if self._sdk_key is None:
            self._sdk_key = _secret(store_name, name).decode("ascii", "replace").strip()
        return self._sdk_key

    def _received(self, request: Request, end: float, response: Any, body: Any) -> Response:  # noqa: ANN401
        from wit_world.imports import http_body

        status: int = response.get_status()
        good = status in range(200, 300)
        limit = request.max_body_bytes if good else ERROR_BODY_BYTES
        received = bytearray()
        while len(received) <= limit:
            if time.monotonic() >= end:
                raise self._timeout(request)
            piece: bytes = http_body.read(body, _PIECE_BYTES)
            if not piece:
                break
            received += piece
        if good and len(received) > limit:
            raise TransportError(
                f"backend {self._backend!r} sent more than the limit of {limit} bytes",
                reason="too-large",
                status=status,
            )
        return Response(status, _received_headers(response), bytes(received[:limit]))

    def _timeout(self, request: Request) -> TransportError:
        failure = f"did not answer within {request.total_timeout:g} s (total_timeout)"
        return TransportError(f"backend {self._backend!r} {failure}", reason="timeout")

    def _failed(self, error: Exception) -> TransportError:
        who = f"backend {self._backend!r}"
        if fault_name(error) == "not found":
            advice = "add it to the service, and for local runs to [local_server.backends] of fastly.toml"
            return TransportError(f"{who} does not exist; {advice}", reason="unreachable")
        return TransportError(f"{who} did not answer: {fault_text(error)}", reason="unreachable")


def _secret(store_name: str, name: str) -> bytes:
    from wit_world.imports import secret_store

    who = f"secret {name!r} of Secret Store {store_name!r}"
    try:
        with secret_store.Store.open(store_name) as store:
            secret = store.get(name)
            if secret is not None:
                with secret:
                    plain: bytes = secret.plaintext(_SECRET_BYTES)
                    return plain
    except Exception as error:  # one of several classes, or raw  # noqa: BLE001
        raise TransportError(f"{who}: {fault_text(error)}", reason="unreachable") from None
    raise TransportError(f"{who}: there is no such secret", reason="unreachable")


def _received_headers(response: Any) -> dict[str, str]:  # noqa: ANN401
    return {name: b", ".join(values).decode("latin-1") for name, values in fields(response)}
