"""Arguments of adapters for Fastly's stores, the token among them."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from fastly_adapters import KEY, SPECS, TOKEN, adapter_for, failure
from loopback import Listener, answering, http
from statsig_fastly.adapters.fastly import FastlyDataAdapter
from statsig_fastly.errors import AdapterError
from statsig_fastly.transport import HttpTransport, Request, Response, TransportError

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator


@pytest.fixture
def kv(fastly: Emulator) -> Emulator:
    """An emulator whose token must not show up in anything that was logged."""
    return fastly


# Arguments


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"store": 5}, TypeError, "store: expected str, got int"),
        ({"store": ""}, ValueError, "store: expected text, got ''"),
        ({"store": "9lives"}, ValueError, "store: expected an id of 22"),
        ({"store": "a\nb"}, ValueError, "store: expected an id of 22"),
        ({"store": "a" * 256}, ValueError, "store: expected an id of 22"),
        ({"config_spec_key": 5}, TypeError, "config_spec_key: expected str, got int"),
        ({"config_spec_key": ""}, ValueError, "config_spec_key: expected text"),
        ({"config_spec_key": "."}, ValueError, "config_spec_key: must not be '.' or '..'"),
        ({"config_spec_key": ".."}, ValueError, "config_spec_key: must not be '.' or '..'"),
        ({"config_spec_key": "statsig|/v2"}, ValueError, "config_spec_key: must not contain '|'"),
        ({"config_spec_key": "a#"}, ValueError, "config_spec_key: must not contain '#'"),
        ({"config_spec_key": "a;"}, ValueError, "must not contain ';'"),
        ({"config_spec_key": "a?"}, ValueError, "must not contain '?'"),
        ({"config_spec_key": "a^"}, ValueError, "must not contain '^'"),
        ({"config_spec_key": "a\r"}, ValueError, "must not contain CR"),
        ({"config_spec_key": "a\n"}, ValueError, "must not contain LF"),
        ({"config_spec_key": "ü" * 513}, ValueError, "1 to 1024 bytes of UTF-8 (it has 1026)"),
        ({"config_spec_key": "\ud800"}, ValueError, "config_spec_key: must be valid Unicode"),
        ({"config_spec_key": ".well-known/acme-challenge/x"}, ValueError, "must not start with"),
        (
            {"config_spec_key": "k" * 256, "store_type": "config"},
            ValueError,
            "config_spec_key: must have 1 to 255 characters (it has 256)",
        ),
        ({"config_spec_key": "..", "store_type": "config"}, ValueError, "must not be '.' or '..'"),
        ({"config_spec_key": "\ud800", "store_type": "config"}, ValueError, "must be valid Unicode"),
        ({"store_type": "KV"}, ValueError, "store_type: expected 'kv' or 'config', got 'KV'"),
        ({"store_type": ["kv"]}, ValueError, "store_type: expected 'kv' or 'config', got ['kv']"),
        ({"store_type": None}, ValueError, "store_type: expected 'kv' or 'config', got None"),
        ({"token": 5}, TypeError, "token: expected str or None, got int"),
        ({"token": ""}, ValueError, "token: expected a Fastly API token, got ''"),
        ({"token": TOKEN + "\n"}, ValueError, "token: expected printable ASCII"),
        ({"token": "tökén-0123"}, ValueError, "token: expected printable ASCII"),
        ({"api": 5}, TypeError, "api: expected str, got int"),
        ({"api": ""}, ValueError, "api: expected"),
        ({"api": "api.fastly.com"}, ValueError, "api: expected"),
        ({"api": "http://api.fastly.com"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://127.0.0.1.evil.example"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://localhost.evil.example"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://10.0.0.1"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://127.0.0.1@evil.example"}, ValueError, "without user information"),
        ({"api": "http://127.0.0.1\\.evil.example"}, ValueError, "api: expected"),
        ({"api": "https://evil.example\\@api.fastly.com"}, ValueError, "without user information"),
        ({"api": "ftp://127.0.0.1"}, ValueError, "expected https"),
        ({"api": "https://"}, ValueError, "api: expected a URL"),
        ({"api": "https://x.example:99999"}, ValueError, "api: expected a URL"),
        ({"api": "https://x.example?a=b"}, ValueError, "at most a plain path"),
        ({"api": "https://x.example/#f"}, ValueError, "at most a plain path"),
        ({"api": "https://x.example/a b"}, ValueError, "at most a plain path"),
        ({"connect_timeout": 0}, ValueError, "connect_timeout: expected seconds above 0, got 0"),
        ({"connect_timeout": "3"}, TypeError, "connect_timeout: expected seconds as int or float, got str"),
        ({"read_timeout": None}, TypeError, "read_timeout: expected seconds"),
        ({"read_timeout": float("nan")}, ValueError, "read_timeout: expected seconds above 0, got nan"),
        ({"read_timeout": True}, TypeError, "read_timeout: expected seconds as int or float, got bool"),
        ({"total_timeout": -1.5}, ValueError, "total_timeout: expected seconds above 0, got -1.5"),
        ({"total_timeout": float("inf")}, ValueError, "total_timeout: expected seconds above 0, got inf"),
        ({"max_value_bytes": 0}, ValueError, "max_value_bytes: expected a number above 0, got 0"),
        ({"max_value_bytes": 1.5}, TypeError, "max_value_bytes: expected int, got float"),
        ({"max_value_bytes": True}, TypeError, "max_value_bytes: expected int, got bool"),
        ({"max_payload_bytes": 0}, ValueError, "max_payload_bytes: expected a number above 0, got 0"),
        ({"max_payload_bytes": "1"}, TypeError, "max_payload_bytes: expected int, got str"),
        ({"transport": "http"}, TypeError, "transport: expected an object with send() and close()"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], kind: type[Exception], says: str) -> None:
    given: dict[str, object] = {"store": "specs", "config_spec_key": KEY, "token": TOKEN, **arguments}
    with pytest.raises(kind) as caught:
        FastlyDataAdapter(**given)  # type: ignore[arg-type]  # wrong on purpose
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("api", "base"),
    [
        ("https://api.fastly.com", "https://api.fastly.com"),
        ("https://API.Fastly.com/", "https://api.fastly.com"),
        ("https://gateway.example:8443/fastly/", "https://gateway.example:8443/fastly"),
        ("http://localhost:7676", "http://localhost:7676"),
        ("http://127.5.5.5", "http://127.5.5.5"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_where_the_token_may_go(api: str, base: str) -> None:
    adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, api=api)
    assert repr(adapter) == f"FastlyDataAdapter(store='specs', config_spec_key='{KEY}', api='{base}')"


def test_what_it_shows_of_itself() -> None:
    adapter = FastlyDataAdapter("specs", store_type="config", token=TOKEN)
    assert repr(adapter) == (
        "FastlyDataAdapter(store='specs', config_spec_key=None, store_type='config', "
        "api='https://api.fastly.com')"
    )


def test_no_two_adapters_have_one_identity() -> None:
    different: list[dict[str, Any]] = [
        {"store": "a"},
        {"store": "b"},
        {"store": "a", "config_spec_key": "b"},
        {"store": "a b"},
        {"store": "a%20b"},
        {"store": "a", "store_type": "config"},
        {"store": "a", "api": "http://localhost:1"},
        {"store": "a", "api": "http://localhost:1/x"},
    ]
    identities = [FastlyDataAdapter(**arguments, token=TOKEN).identity for arguments in different]
    assert len(set(identities)) == len(different)
    assert identities[2] == "FastlyKV https://api.fastly.com a b"
    for arguments, identity in zip(different, identities, strict=True):
        again = FastlyDataAdapter(**arguments, token="another", max_value_bytes=5)
        assert again.identity == identity
    assert not [identity for identity in identities if TOKEN in identity or not identity.isprintable()]


def test_the_api_may_have_a_path() -> None:
    with Listener(answering(http(200, SPECS))) as server:
        FastlyDataAdapter("a" * 22, KEY, token=TOKEN, api=f"{server.url}/fastly/").fetch()
        start = f"GET /fastly/resources/stores/kv/{'a' * 22}/keys/{KEY} HTTP/1.1\r\n"
        assert server.received[0].decode().startswith(start)


# The token


def test_the_token_comes_from_the_environment(kv: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    monkeypatch.setenv("FASTLY_API_TOKEN", TOKEN)
    adapter = FastlyDataAdapter("specs", KEY, api=kv.url)
    monkeypatch.setenv("FASTLY_API_TOKEN", "another")  # read at construction, not later
    assert adapter.fetch() is not None
    assert {request.headers["fastly-key"] for request in kv.requests} == {TOKEN}


@pytest.mark.parametrize("value", [None, ""])
def test_no_token_anywhere(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("FASTLY_API_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("FASTLY_API_TOKEN", value)
    with pytest.raises(ValueError, match=r"^token: .* environment variable FASTLY_API_TOKEN is not set"):
        FastlyDataAdapter("specs", KEY)


def test_a_broken_token_in_the_environment_is_named_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTLY_API_TOKEN", f"{TOKEN}\n")
    with pytest.raises(ValueError, match=r"^environment variable FASTLY_API_TOKEN: expected") as caught:
        FastlyDataAdapter("specs", KEY)
    assert TOKEN not in str(caught.value)


def parts_of(whole: object) -> list[object]:
    """An object of this package, and all it is made of as far as it is of this package."""
    parts: list[object] = []
    rest = [whole]
    while rest:
        part = rest.pop()
        if any(part is seen for seen in parts):
            continue
        parts.append(part)
        if type(part).__module__.startswith("statsig_fastly"):
            names = [name for base in type(part).__mro__ for name in getattr(base, "__slots__", ())]
            rest += [getattr(part, name) for name in names if not name.startswith("__")]
            rest += vars(part).values() if hasattr(part, "__dict__") else []
    return parts


@pytest.mark.parametrize("store_type", ["kv", "config"])
def test_nothing_of_the_adapter_shows_the_token(kv: Emulator, store_type: str) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS)
    kv.create_config_store("specs", {KEY: SPECS.decode()})
    adapter = adapter_for(kv, store_type=store_type)
    assert adapter.fetch() is not None
    assert not hasattr(adapter, "__dict__")
    parts = parts_of(adapter)
    assert {"ApiToken", "HttpTransport", "LookUp"} <= {type(part).__name__ for part in parts}
    shown = [repr(part) + str(part) + ascii(part) for part in parts]
    assert not [text for text in [*shown, adapter.identity] if TOKEN in text]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a token and cannot be pickled"):
            pickle.dumps(adapter, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a token"):
            duplicate(adapter)
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        pickle.dumps(adapter._api._token)


def test_the_token_travels_in_its_header_only(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS)
    adapter = adapter_for(kv)
    payload = adapter.fetch()
    assert payload is not None
    adapter.fetch(payload.version)
    failure(adapter_for(kv, "specs", "missing"))
    assert len(kv.requests) > 4
    for request in kv.requests:
        assert [name for name, value in request.headers.items() if TOKEN in value] == ["fastly-key"]
        assert TOKEN not in request.raw_path
        assert request.body_bytes == b""


# A transport of the caller's own


class Recorded:
    """Passes everything on to a real transport, or fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.inner = HttpTransport()
        self.error = error
        self.asked: list[Request] = []
        self.closed = 0

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return self.inner.send(request)

    def close(self) -> None:
        self.closed += 1


def test_a_transport_of_the_callers_own(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    transport = Recorded()
    adapter = FastlyDataAdapter(
        store, KEY, token=TOKEN, api=kv.url, connect_timeout=1, read_timeout=2, total_timeout=3,
        max_value_bytes=1000, transport=transport,
    )  # fmt: skip
    assert adapter.fetch() is not None
    request = transport.asked[0]
    assert (request.connect_timeout, request.read_timeout, request.total_timeout) == (1.0, 2.0, 3.0)
    assert request.max_body_bytes == 1000
    assert TOKEN not in repr(request)
    adapter.close()
    assert transport.closed == 0  # it is the caller's
    transport.inner.close()


@pytest.mark.parametrize(
    ("error", "retryable", "says"),
    [
        (TransportError("it took too long", reason="timeout"), True, "it took too long"),
        (TransportError("not trusted", reason="tls"), False, "not trusted; for an own certificate authority"),
        (ConnectionResetError(104, f"reset\nby {TOKEN}"), True, "ConnectionResetError: [Errno 104] reset by"),
        (OSError(), True, "OSError"),
    ],
)
def test_failures_of_a_transport_of_the_callers_own(error: Exception, retryable: bool, says: str) -> None:
    adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, transport=Recorded(error))
    with pytest.raises(AdapterError) as caught:
        adapter.fetch()
    assert caught.value.retryable is retryable
    assert str(caught.value).startswith("looking up KV store 'specs' at api.fastly.com: ")
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_mistake_in_a_transport_of_the_callers_own_stays_one() -> None:
    adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, transport=Recorded(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        adapter.fetch()
