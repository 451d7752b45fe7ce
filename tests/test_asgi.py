"""The ASGI middleware: it flushes after the response and never before, and changes nothing else."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from event_sink import EventSink
from held_collector import PATIENCE, HeldCollector, events_of, quiet_client
from statsig_fastly.web.asgi import FlushAfterResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from statsig_fastly import Statsig
    from statsig_fastly.web.asgi import Application, Message, Receive, Send


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


def two_parts(statsig: Statsig) -> Application:
    """An application that answers with two parts, and records an event with each."""

    async def app(_: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
        statsig.log_event("u-1", "first")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        statsig.log_event("u-1", "second")
        await send({"type": "http.response.body", "body": b"two"})

    return app


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def test_nothing_is_sent_before_the_response_is_complete() -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)

        async def send(message: Message) -> None:
            for _ in range(10):
                await asyncio.sleep(0.001)  # time enough for a flush that began too early
            collector.journal.append(message["type"])

        app = FlushAfterResponse(two_parts(statsig), statsig, limit=PATIENCE, always=True)
        collector.may_answer.set()
        asyncio.run(app({"type": "http"}, nothing, send))
        assert collector.journal == [
            "http.response.start",
            "http.response.body",
            "http.response.body",
            "events",
        ]
        assert events_of(statsig).sent == 2


@contextmanager
def uvicorn_serving(app: Application) -> Iterator[int]:
    """Serves an application in this process, on the port it gives."""
    uvicorn = pytest.importorskip("uvicorn")
    listening = socket.create_server(("127.0.0.1", 0), backlog=16)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", loop="asyncio"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listening.close()


def test_the_response_is_not_held_up() -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)
        app = FlushAfterResponse(two_parts(statsig), statsig, limit=PATIENCE, always=True)
        with uvicorn_serving(app) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"onetwo"
            assert collector.asked.wait(PATIENCE)
            # Nor is the next one, on the same connection, while the first flush still waits.
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"onetwo"
            assert events_of(statsig).sent == 0
            collector.may_answer.set()
            connection.close()
        assert statsig.flush().result(PATIENCE).pending == 0
        assert events_of(statsig).sent == 4


def test_the_application_ends_when_the_limit_is_over() -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)
        messages = []

        async def send(message: Message) -> None:
            messages.append(message["type"])

        app = FlushAfterResponse(two_parts(statsig), statsig, limit=0.05, always=True)
        asyncio.run(app({"type": "http"}, nothing, send))
        assert len(messages) == 3
        # The request still goes on: it was the limit that ended the wait.
        assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 2)


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_other_connections_go_through_untouched(kind: str, sink: EventSink) -> None:
    statsig = quiet_client(sink.url)
    seen: list[object] = []

    async def inner(*given: object) -> None:
        statsig.log_event("u-1", "other")
        seen.extend(given)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": kind}
    asyncio.run(FlushAfterResponse(inner, statsig, always=True)(scope, nothing, send))
    assert len(seen) == 3
    assert all(one is other for one, other in zip(seen, (scope, nothing, send), strict=True))
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 1)


def test_messages_are_the_applications_own(sink: EventSink) -> None:
    statsig = quiet_client(sink.url)
    scope: MutableMapping[str, Any] = {"type": "http"}
    seen: list[object] = []

    async def inner(*given: object) -> None:
        seen.extend(given)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(FlushAfterResponse(inner, statsig)(scope, nothing, send))
    assert all(one is other for one, other in zip(seen, (scope, nothing, send), strict=True))


def test_an_error_of_the_application_goes_through_at_once(sink: EventSink) -> None:
    statsig = quiet_client(sink.url)
    problem = KeyError("on purpose")

    async def inner(*_: object) -> None:
        statsig.log_event("u-1", "failed")
        raise problem

    async def send(message: Message) -> None:
        raise AssertionError(message)

    with pytest.raises(KeyError) as caught:
        asyncio.run(FlushAfterResponse(inner, statsig, always=True)({"type": "http"}, nothing, send))
    assert caught.value is problem
    # Whoever is outside has yet to answer.
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 1)


def test_it_flushes_only_what_is_due(sink: EventSink) -> None:
    statsig = quiet_client(sink.url)

    async def send(message: Message) -> None:
        del message

    asyncio.run(FlushAfterResponse(two_parts(statsig), statsig)({"type": "http"}, nothing, send))
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 2)


# Of its releases, some find fault with their HTTP client, others with their AnyIO.
@pytest.mark.filterwarnings("ignore:Using `httpx` with", "ignore:The anyio:DeprecationWarning")
def test_starlette_takes_it_as_a_middleware(sink: EventSink) -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("httpx")
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.requests import Request  # noqa: TC002 - of the annotations below, which it reads
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    statsig = quiet_client(sink.url)

    def plain(request: Request) -> PlainTextResponse:
        statsig.log_event("u-1", request.url.path)
        return PlainTextResponse("plain", background=BackgroundTask(statsig.log_event, "u-1", "background"))

    def streamed(request: Request) -> StreamingResponse:
        statsig.log_event("u-1", request.url.path)
        return StreamingResponse(str(n) for n in range(5))

    def failing(request: Request) -> PlainTextResponse:
        statsig.log_event("u-1", request.url.path)
        raise KeyError("on purpose")

    app = Starlette(
        routes=[Route("/plain", plain), Route("/streamed", streamed), Route("/failing", failing)],
        middleware=[Middleware(FlushAfterResponse, statsig=statsig, limit=PATIENCE, always=True)],
    )
    with TestClient(app, raise_server_exceptions=False) as requests:
        assert requests.get("/plain").text == "plain"
        assert [event["eventName"] for event in sink.take()] == ["/plain", "background"]
        assert requests.get("/streamed").text == "01234"
        assert [event["eventName"] for event in sink.take()] == ["/streamed"]
        assert requests.get("/failing").status_code == 500
        assert sink.take() == []
        assert requests.get("/nowhere").status_code == 404
        assert [event["eventName"] for event in sink.take()] == ["/failing"]
