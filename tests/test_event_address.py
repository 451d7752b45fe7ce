"""Where events are sent: what of the address is used, and what of it nobody is to read."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING

import pytest

from loopback import Listener, answering, http
from named_events import NamedEvents, balanced, delivery_to, names
from small_project import payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions
from statsig_fastly.events.requests import Address
from statsig_fastly.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_client import StandingClock
    from loopback import Peer
    from statsig_fastly.transport import Request, Response

USER, PASSWORD, TOKEN = "somebody", "pass/word: 1@2", "t0ken"
SECRETS = (PASSWORD, "pass%2Fword", TOKEN, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
USERINFO = f"{USER}:pass%2Fword%3A%201%402@"


def with_secrets(url: str) -> str:
    return url.replace("://", f"://{USERINFO}") + f"/v1/log_event?token={TOKEN}"


def reset(peer: Peer) -> None:
    peer.request()
    peer.reset()


SERVES: dict[str, Callable[[Peer], None]] = {
    "accepts": answering(http(202, b'{"success":true}')),
    "refuses": answering(http(401)),
    "fails": answering(http(500)),
    "is no collector": answering(http(200, b"<html>")),
    "asks for less": answering(http(413)),
    "resets": reset,
    "speaks no HTTP": answering(b"hello\r\n\r\n"),
    "announces nonsense": answering(b"HTTP/1.1 200 X\r\nContent-Length: many\r\n\r\n"),
    "ends early": answering(http(200, b"{", length=50)),
}


@pytest.mark.parametrize("serves", SERVES)
def test_a_password_is_sent_and_never_shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], serves: str
) -> None:
    caplog.set_level(logging.DEBUG, "statsig_fastly")
    with Listener(SERVES[serves]) as listener:
        options = StatsigOptions(
            data_adapter=MemoryAdapter(payload()), log_event_url=with_secrets(listener.url), exit_timeout_ms=0
        )
        statsig = Statsig("secret-key", options)
        statsig.log_event("u", "event")
        result = statsig.flush().result(30)
        statsig.shutdown(0).wait(30)
        stats = statsig.stats().events
        assert stats is not None
        shown = [caplog.text, *map(repr, (options, statsig, statsig._delivery, result, stats))]
        shown.append(repr(statsig._delivery._settings) if statsig._delivery else "")
        (head, *_) = (request.partition(b"\r\n\r\n")[0].decode() for request in listener.received)
    assert (stats.sent == 1) == (serves == "accepts")
    if serves != "accepts":
        assert stats.last_error is not None
        assert f"127.0.0.1:{listener.port}" in stats.last_error
    for secret in SECRETS:
        assert secret not in "".join([*shown, *capfd.readouterr()])
    lines = head.split("\r\n")
    assert lines[0] == f"POST /v1/log_event?token={TOKEN} HTTP/1.1"
    assert f"authorization: Basic {SECRETS[-1]}" in [
        line.replace("Authorization", "authorization") for line in lines
    ]
    assert f"Host: 127.0.0.1:{listener.port}" in lines


def test_nobody_listens_at_an_address_with_a_password(
    clock: StandingClock, caplog: pytest.LogCaptureFixture
) -> None:
    with Listener(lambda peer: peer.close()) as gone:
        url = gone.url
    log = NamedEvents()
    delivery = delivery_to(url.replace("://", f"://{USERINFO}"), log, clock=clock)
    log.record(*names(0, 10))
    delivery.step()
    assert f"127.0.0.1:{gone.port} cannot be reached" in str(balanced(delivery).last_error)
    for secret in SECRETS:
        assert secret not in caplog.text


def test_a_transport_of_ones_own_has_no_password_to_show(clock: StandingClock) -> None:
    class Tells:
        def send(self, request: Request) -> Response:
            raise TransportError(f"{request!r} {dict(request.headers)}", reason="protocol")

        def close(self) -> None: ...

    log = NamedEvents()
    delivery = delivery_to(f"http://{USERINFO}collector.test", log, clock=clock, transport=Tells())
    log.record(*names(0, 10))
    delivery.step()
    said = str(balanced(delivery).last_error)
    assert "'authorization': '<authorization>'" in said
    for secret in SECRETS:
        assert secret not in said


@pytest.mark.parametrize(
    ("url", "used", "host", "user"),
    [
        ("https://host/v1", "https://host/v1", "host", None),
        ("https://host?a=b@c", "https://host?a=b@c", "host", None),
        ("https://host/a@b", "https://host/a@b", "host", None),
        ("http://a:b@host:8080/v1", "http://host:8080/v1", "host:8080", "a:b"),
        ("http://a@[::1]:80", "http://[::1]:80", "[::1]:80", "a"),
        ("http://a%3A:%C3%A9%40@host#x", "http://host#x", "host", "a::é@"),
        ("http://a:b@c@host", "http://host", "host", "a:b@c"),
    ],
)
def test_an_address_taken_apart(url: str, used: str, host: str, user: str | None) -> None:
    address = Address.of(url)
    assert (address.url, address.host) == (used, host)
    expected = None if user is None else f"Basic {base64.b64encode(user.encode()).decode()}"
    assert address.authorization == expected
    assert str(address) == used.partition("?")[0]
    assert not any(secret in repr(address) for secret in (expected or "?", "b@c"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:password@host/",
        "user:password@host",
        "http://user:pass/word@host/",
        "http://user:password@/path",
        "http://user:password@host:port/",
        "http://user:password@[host/",
        "https://?token=password",
        "http://",
        "host",
    ],
)
def test_an_address_that_cannot_be_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"^argument 'log_event_url': expected an http or https URL, got"
    ) as raised:
        StatsigOptions(log_event_url=url)
    assert "pass" not in str(raised.value)
    assert raised.value.__context__ is None or "pass" not in str(raised.value.__context__)
