"""What a Fastly Compute service sees of Fastly: stores, backends, log endpoints, requests.

In: calls of the host's functions by name, with resources as the objects here. Out: what Fastly answers, and
an account of all calls in order. Only what `statsig_fastly` and its example use is there.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from wasmtime.component import Variant

from compute.values import err, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["POLLABLE", "Ask", "Body", "Fastly", "Item", "Resource", "Response"]

POLLABLE = ("async-io", "pollable")
"""The resource type that bodies and everything pending are of."""


class Resource:
    """What a service has a handle of.

    Attributes:
        resource: The interface and the name of its type.
    """

    resource: ClassVar[tuple[str, str]]


@dataclass
class Item(Resource):
    """A value of a KV Store."""

    resource = ("kv-store", "entry")
    body: bytes = field(repr=False)
    generation: int = 1
    metadata: str = ""


@dataclass
class Body(Resource):
    """Bytes that are read or written."""

    resource = POLLABLE
    data: bytearray = field(default_factory=bytearray, repr=False)
    at: int = 0


@dataclass
class Ask(Resource):
    """A request of a client to the service, or of the service to a backend.

    Attributes:
        headers: By names in lower case. Between several values is a NUL.
    """

    resource = ("http-req", "request")
    method: str = "GET"
    uri: str = "http://service.test/"
    headers: dict[str, bytes] = field(default_factory=dict, repr=False)
    body: Body = field(default_factory=Body, repr=False)


@dataclass
class Response(Resource):
    """A response of the service to a client, or of a backend to the service.

    Attributes:
        headers: As those of `Ask`.
    """

    resource = ("http-resp", "response")
    status: int = 200
    headers: dict[str, bytes] = field(default_factory=dict, repr=False)
    body: Body = field(default_factory=Body, repr=False)

    @property
    def text(self) -> bytes:
        """The body."""
        return bytes(self.body.data)


@dataclass
class _Pending(Resource):
    """A response, or the next request, that was asked for."""

    resource = POLLABLE
    answer: Response | None = None


@dataclass
class _Backend(Resource):
    resource = ("backend", "backend")
    name: str


@dataclass
class _KvStore(Resource):
    resource = ("kv-store", "store")
    items: dict[str, Item]


@dataclass
class _ConfigStore(Resource):
    resource = ("config-store", "store")
    items: dict[str, str]


@dataclass
class _SecretStore(Resource):
    resource = ("secret-store", "store")
    items: dict[str, bytes]


@dataclass
class _Secret(Resource):
    resource = ("secret-store", "secret")
    plain: bytes = field(repr=False)


@dataclass
class _Endpoint(Resource):
    resource = ("log", "endpoint")
    name: str


class Fastly:
    """The state of the platform, and its functions.

    Attributes:
        kv: KV Stores by name.
        config: Config Stores by name.
        secrets: Secret Stores by name.
        backends: What answers for each backend. One that returns None does not answer in time.
        logs: What was written to each log endpoint.
        account: What was called, in order: `kv`, `config`, `secret`, `body`, `backend`, `log`, `response`.
        fails: Errors that look-ups in KV Stores end with, used up one by one.
        write_most: How many bytes a body takes at a time.
    """

    def __init__(self) -> None:
        self.kv: dict[str, dict[str, Item]] = {}
        self.config: dict[str, dict[str, str]] = {}
        self.secrets: dict[str, dict[str, bytes]] = {}
        self.backends: dict[str, Callable[[Ask], Response | None]] = {}
        self.logs: dict[str, list[bytes]] = {}
        self.account: list[str] = []
        self.fails: deque[str] = deque()
        self.write_most = 1 << 30
        self.responses: list[Response] = []
        self._waiting: Iterator[Ask] = iter(())
        self.functions: dict[str, Callable[..., Any]] = {
            f"{interface}/{name}": getattr(self, f"_{attribute}")
            for interface, names in _FUNCTIONS.items()
            for name, attribute in names.items()
        }

    @property
    def counts(self) -> Counter[str]:
        """How often each kind of call was made."""
        return Counter(self.account)

    def queue(self, requests: Iterable[Ask]) -> None:
        """What `next-request` hands out."""
        self._waiting = iter(requests)

    # async-io and bodies

    def _select_with_timeout(self, handles: list[_Pending], _: int) -> int | None:
        return next((index for index, one in enumerate(handles) if one.answer is not None), None)

    def _body_new(self) -> Variant:
        return ok(Body())

    def _body_read(self, body: Body, size: int) -> Variant:
        piece = bytes(body.data[body.at : body.at + size])
        body.at += len(piece)
        return ok(piece)

    def _body_write(self, body: Body, data: bytes) -> Variant:
        taken = data[: self.write_most]
        body.data += taken
        return ok(len(taken))

    # Requests and responses

    def _request_new(self) -> Variant:
        return ok(Ask())

    def _response_new(self) -> Variant:
        return ok(Response())

    def _set_method(self, request: Ask, method: str) -> Variant:
        request.method = method
        return ok()

    def _get_method(self, request: Ask, most: int) -> Variant:
        return _text(request.method, most)

    def _set_uri(self, request: Ask, uri: str) -> Variant:
        request.uri = uri
        return ok()

    def _get_uri(self, request: Ask, most: int) -> Variant:
        return _text(request.uri, most)

    def _insert_header(self, message: Ask | Response, name: str, value: bytes) -> Variant:
        if b"\n" in value:
            return err(Variant("invalid-argument"))
        message.headers[name.lower()] = value
        return ok()

    def _append_header(self, message: Ask | Response, name: str, value: bytes) -> Variant:
        before = message.headers.get(name.lower())
        return self._insert_header(message, name, value if before is None else before + b"\0" + value)

    def _header_names(self, message: Ask | Response, most: int, cursor: int) -> Variant:
        return _pieces([name.encode() for name in message.headers], most, cursor, bytes.decode)

    def _header_values(self, message: Ask | Response, name: str, most: int, cursor: int) -> Variant:
        return _pieces(message.headers[name.lower()].split(b"\0"), most, cursor, bytes)

    def _get_status(self, response: Response) -> Variant:
        return ok(response.status)

    def _set_status(self, response: Response, status: int) -> Variant:
        response.status = status
        return ok()

    def _send_downstream(self, response: Response, body: Body) -> Variant:
        response.body = body
        self.account.append("response")
        self.responses.append(response)
        return ok()

    def _next_request(self, _: object) -> Variant:
        return ok(_Pending())

    def _await_request(self, _: _Pending) -> Variant:
        request = next(self._waiting, None)
        return err(Variant("cannot-read")) if request is None else ok((request, request.body))

    # Backends

    def _backend_open(self, name: str) -> Variant:
        return ok(_Backend(name)) if name in self.backends else err("not-found")

    def _send_async(self, request: Ask, body: Body, backend: _Backend) -> Variant:
        request.body = body
        self.account.append("backend")
        return ok(_Pending(self.backends[backend.name](request)))

    def _await_response(self, pending: _Pending) -> Variant:
        assert pending.answer is not None
        return ok((pending.answer, pending.answer.body))

    # Stores

    def _kv_open(self, name: str) -> Variant:
        return ok(_KvStore(self.kv[name])) if name in self.kv else err("not-found")

    def _kv_lookup(self, store: _KvStore, key: str) -> Variant:
        self.account.append("kv")
        if self.fails:
            return err(Variant(self.fails.popleft()))
        return ok(store.items.get(key))

    def _kv_body(self, item: Item) -> Body:
        self.account.append("body")
        return Body(bytearray(item.body))

    def _kv_metadata(self, item: Item, _: int) -> Variant:
        return ok(item.metadata)

    def _kv_generation(self, item: Item) -> int:
        return item.generation

    def _config_open(self, name: str) -> Variant:
        return ok(_ConfigStore(self.config[name])) if name in self.config else err("not-found")

    def _config_get(self, store: _ConfigStore, key: str, _: int) -> Variant:
        self.account.append("config")
        return ok(store.items.get(key))

    def _secret_open(self, name: str) -> Variant:
        return ok(_SecretStore(self.secrets[name])) if name in self.secrets else err("not-found")

    def _secret_get(self, store: _SecretStore, name: str) -> Variant:
        self.account.append("secret")
        return ok(_Secret(store.items[name]) if name in store.items else None)

    def _secret_plaintext(self, secret: _Secret, _: int) -> Variant:
        return ok(secret.plain)

    # Logs

    def _log_open(self, name: str) -> Variant:
        return ok(_Endpoint(name)) if name else err("invalid-syntax")

    def _log_write(self, endpoint: _Endpoint, message: bytes) -> None:
        self.account.append("log")
        self.logs.setdefault(endpoint.name, []).append(message)


def _text(text: str, most: int) -> Variant:
    size = len(text.encode())
    return ok(text) if size <= most else err(Variant("buffer-len", size))


def _pieces(pieces: list[bytes], most: int, cursor: int, form: Callable[[bytes], Any]) -> Variant:
    """As many as there is room for, each with a NUL behind it, and the number of the first that is left."""
    taken = b""
    for number, piece in enumerate(pieces[cursor:], cursor):
        if len(taken) + len(piece) + 1 > most:
            return ok((form(taken), number)) if taken else err(Variant("buffer-len", len(piece) + 1))
        taken += piece + b"\0"
    return ok((form(taken), None))


_MESSAGE = {
    "insert-header": "insert_header",
    "append-header": "append_header",
    "get-header-names": "header_names",
    "get-header-values": "header_values",
}

# The functions of each interface, and what they are called here.
_FUNCTIONS = {
    "async-io": {"select-with-timeout": "select_with_timeout"},
    "http-body": {"new": "body_new", "read": "body_read", "write": "body_write"},
    "http-req": {
        "[static]request.new": "request_new",
        "[method]request.set-method": "set_method",
        "[method]request.get-method": "get_method",
        "[method]request.set-uri": "set_uri",
        "[method]request.get-uri": "get_uri",
        "send-async": "send_async",
        "await-response": "await_response",
        **{f"[method]request.{name}": attribute for name, attribute in _MESSAGE.items()},
    },
    "http-resp": {
        "[static]response.new": "response_new",
        "[method]response.get-status": "get_status",
        "[method]response.set-status": "set_status",
        "send-downstream": "send_downstream",
        **{f"[method]response.{name}": attribute for name, attribute in _MESSAGE.items()},
    },
    "http-downstream": {"next-request": "next_request", "await-request": "await_request"},
    "backend": {"[static]backend.open": "backend_open"},
    "kv-store": {
        "[static]store.open": "kv_open",
        "[method]store.lookup": "kv_lookup",
        "[method]entry.take-body": "kv_body",
        "[method]entry.metadata": "kv_metadata",
        "[method]entry.generation": "kv_generation",
    },
    "config-store": {"[static]store.open": "config_open", "[method]store.get": "config_get"},
    "secret-store": {
        "[static]store.open": "secret_open",
        "[method]store.get": "secret_get",
        "[method]secret.plaintext": "secret_plaintext",
    },
    "log": {"[static]endpoint.open": "log_open", "[method]endpoint.write": "log_write"},
}
