"""The WSGI middleware: it flushes when the response is closed, and keeps what servers rely on."""

from __future__ import annotations

import http.client
import io
import itertools
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from wsgiref import simple_server
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from event_sink import EventSink
from held_collector import PATIENCE, HeldCollector, events_of, quiet_client
from statsig_fastly.web.wsgi import FlushAfterResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from statsig_fastly import Statsig


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


@pytest.fixture
def statsig(sink: EventSink) -> Statsig:
    """A client that sends to it."""
    return quiet_client(sink.url)


class Body:
    """Parts of an answer that can be closed, and note it."""

    def __init__(self, statsig: Statsig, *parts: bytes, fails: Exception | None = None) -> None:
        self.parts = parts
        self.statsig = statsig
        self.fails = fails
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            self.statsig.log_event("u-1", part.decode())
            yield part
        if self.fails is not None:
            raise self.fails

    def close(self) -> None:
        assert events_of(self.statsig).requests == 0
        self.statsig.log_event("u-1", "closed")
        self.closed += 1


def answering(body: Iterable[bytes]) -> WSGIApplication:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    return app


def environ() -> WSGIEnvironment:
    made: WSGIEnvironment = {}
    setup_testing_defaults(made)
    return made


def ignore_start(*_: object) -> Callable[[bytes], object]:
    return bytes


class Server(simple_server.WSGIServer):
    """Serves one connection at a time."""

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.set_app(app)


class _Handler(simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
        """Keeps the output of the tests clean."""

    def get_stderr(self) -> io.StringIO:
        return io.StringIO()


@contextmanager
def serving(app: WSGIApplication) -> Iterator[int]:
    """Serves an application in a thread, on the port it gives."""
    server = Server(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def get(port: int) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_the_response_is_not_held_up() -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)

        def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
            return Body(statsig, b"one", b"two")

        with serving(FlushAfterResponse(app, statsig, limit=PATIENCE, always=True)) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"onetwo"
            assert collector.asked.wait(PATIENCE)
            assert events_of(statsig).sent == 0
            collector.may_answer.set()
            connection.close()
        assert events_of(statsig).sent == 3


def test_it_flushes_when_the_response_is_closed_and_not_before(statsig: Statsig, sink: EventSink) -> None:
    body = Body(statsig, b"one", b"two")
    wrapped = FlushAfterResponse(answering(body), statsig, limit=PATIENCE, always=True)
    found = wrapped(environ(), ignore_start)
    assert list(found) == [b"one", b"two"]
    assert (body.closed, events_of(statsig).requests) == (0, 0)
    found.close()  # type: ignore[attr-defined]  # as servers do
    assert body.closed == 1
    assert [event["eventName"] for event in sink.events] == ["one", "two", "closed"]


def test_closing_ends_when_the_limit_is_over() -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)
        wrapped = FlushAfterResponse(answering(Body(statsig, b"one")), statsig, limit=0.05, always=True)
        found = wrapped(environ(), ignore_start)
        assert list(found) == [b"one"]
        found.close()  # type: ignore[attr-defined]  # as servers do
        # The request still goes on: it was the limit that ended the wait.
        assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 2)


def test_a_client_that_goes_away_early(statsig: Statsig, sink: EventSink) -> None:
    body = Body(statsig, b"one", b"two")
    found = FlushAfterResponse(answering(body), statsig, limit=PATIENCE, always=True)(environ(), ignore_start)
    assert next(iter(found)) == b"one"
    found.close()  # type: ignore[attr-defined]  # as servers do
    assert body.closed == 1
    assert [event["eventName"] for event in sink.events] == ["one", "closed"]


def test_an_exception_of_the_application_goes_through(statsig: Statsig) -> None:
    problem = KeyError("on purpose")

    def app(*_: object) -> Iterable[bytes]:
        statsig.log_event("u-1", "failed")
        raise problem

    with pytest.raises(KeyError) as caught:
        FlushAfterResponse(app, statsig, always=True)(environ(), ignore_start)
    assert caught.value is problem
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 1)


def test_an_exception_in_the_middle_goes_through_and_the_body_is_closed(statsig: Statsig) -> None:
    problem = KeyError("on purpose")
    body = Body(statsig, b"one", fails=problem)
    found = FlushAfterResponse(answering(body), statsig, always=True)(environ(), ignore_start)
    with pytest.raises(KeyError) as caught:
        list(found)
    assert caught.value is problem
    found.close()  # type: ignore[attr-defined]  # as servers do
    assert body.closed == 1
    # The server has yet to answer.
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 2)


def test_an_exception_while_closing_goes_through(statsig: Statsig) -> None:
    problem = KeyError("on purpose")

    class Failing(Body):
        def close(self) -> None:
            raise problem

    found = FlushAfterResponse(answering(Failing(statsig, b"one")), statsig, always=True)(
        environ(), ignore_start
    )
    list(found)
    with pytest.raises(KeyError) as caught:
        found.close()  # type: ignore[attr-defined]  # as servers do
    assert caught.value is problem


def test_it_flushes_only_what_is_due(statsig: Statsig) -> None:
    found = FlushAfterResponse(answering(Body(statsig, b"one")), statsig)(environ(), ignore_start)
    list(found)
    found.close()  # type: ignore[attr-defined]  # as servers do
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 2)


def generated(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"gene"
    yield b"rated"


def written(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"writ")
    return [b"ten"]


def restarted(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    error = KeyError("on purpose")
    try:
        raise error
    except KeyError:
        start_response("503 Later", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"restarted"]


APPLICATIONS = {
    "generated": (generated, 200),
    "written": (written, 200),
    "restarted": (restarted, 503),
    "listed": (answering([b"li", b"sted"]), 200),
    "empty": (answering([]), 200),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_it_keeps_to_the_protocol(name: str, statsig: Statsig) -> None:
    app, status = APPLICATIONS[name]
    with serving(validator(FlushAfterResponse(validator(app), statsig, limit=PATIENCE, always=True))) as port:
        response, body = get(port)
    assert (response.status, body) == (status, b"" if name == "empty" else name.encode())


def test_a_body_of_one_part_keeps_its_length(statsig: Statsig) -> None:
    with serving(FlushAfterResponse(answering([b"whole"]), statsig)) as port:
        response, body = get(port)
    assert (response.headers["Content-Length"], body) == ("5", b"whole")


# The other one is written in C, as some servers' are: its instances take no attributes.
@pytest.mark.parametrize(("kind", "flushes"), [(FileWrapper, True), (itertools.chain, False)])
def test_the_servers_file_wrapper_stays_what_it_is(
    kind: type[Iterable[bytes]], flushes: bool, statsig: Statsig, sink: EventSink
) -> None:
    content = io.BytesIO(b"content")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        statsig.log_event("u-1", "file")
        start_response("200 OK", [("Content-Type", "text/plain")])
        found: Iterable[bytes] = environ["wsgi.file_wrapper"](content)
        return found

    made = {**environ(), "wsgi.file_wrapper": kind}
    found = FlushAfterResponse(app, statsig, limit=PATIENCE, always=True)(made, ignore_start)
    assert type(found) is kind
    assert b"".join(found) == b"content"
    assert sink.events == []
    if isinstance(found, FileWrapper):
        found.close()
        assert content.closed
    assert len(sink.events) == int(flushes)


def test_a_server_without_a_file_wrapper(statsig: Statsig, sink: EventSink) -> None:
    made = environ()
    made.pop("wsgi.file_wrapper", None)
    found = FlushAfterResponse(answering(Body(statsig, b"one")), statsig, limit=PATIENCE, always=True)(
        made, ignore_start
    )
    list(found)
    found.close()  # type: ignore[attr-defined]  # as servers do
    assert len(sink.events) == 2
