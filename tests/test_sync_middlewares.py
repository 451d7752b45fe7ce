"""`SyncPolicy.on_request` in the middlewares: the look comes after the response, which has not waited."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import Statsig, StatsigOptions, SyncPolicy
from statsig_fastly.web import asgi, wsgi
from statsig_fastly.web.flush_after import FlushAfter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class RequestError(Exception):
    pass


class Requests:
    """A client whose look is due, and what happened in which order."""

    def __init__(self, *answers: object) -> None:
        self.happened: list[object] = []
        self.adapter = ScriptedAdapter(payload(), *(self._noting(answer) for answer in answers))
        options = StatsigOptions(
            data_adapter=self.adapter, sync_policy=SyncPolicy.on_request(3600), disable_all_logging=True
        )
        self.statsig = Statsig("secret-key", options)
        assert self.statsig.initialize().wait(PATIENCE)
        self.statsig._look_after(0)

    def _noting(self, answer: object) -> Callable[[], object]:
        def noted() -> object:
            self.happened.append("look")
            return answer() if callable(answer) else answer

        return noted

    def check(self) -> None:
        self.happened.append(self.statsig.get_dynamic_config("u-1", "number").get("a"))

    def settle(self) -> None:
        for thread in threading.enumerate():
            if thread.name == "statsig-fastly-sync":
                thread.join(PATIENCE)


def through_asgi(requests: Requests, *, always: bool = False, fails: bool = False) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        requests.check()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        requests.check()
        if fails:
            raise RequestError
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        if message["type"] == "http.response.body":
            requests.happened.append("response")

    async def receive() -> Any:  # noqa: ANN401 - ASGI's
        return {"type": "http.disconnect"}

    middleware = asgi.FlushAfterResponse(app, requests.statsig, always=always)
    asyncio.run(middleware({"type": "http"}, receive, send))


def through_wsgi(requests: Requests, *, always: bool = False, fails: bool = False) -> None:
    def app(_: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - WSGI's
        requests.check()
        start_response("200 OK", [])
        return parts()

    def parts() -> Iterator[bytes]:
        requests.check()
        if fails:
            raise RequestError
        yield b""

    middleware = wsgi.FlushAfterResponse(app, requests.statsig, always=always)
    body = middleware({}, lambda *_: lambda _: None)
    try:
        for _ in body:
            requests.happened.append("response")
    finally:
        body.close()  # type: ignore[attr-defined]  # as servers do


def in_a_block(requests: Requests, *, always: bool = True, fails: bool = False) -> None:
    with FlushAfter(requests.statsig, always=always):
        requests.check()
        requests.check()
        if fails:
            raise RequestError
        requests.happened.append("response")


def in_a_coroutine(requests: Requests, *, always: bool = True, fails: bool = False) -> None:
    @FlushAfter(requests.statsig, always=always)
    async def work() -> None:
        requests.check()
        requests.check()
        if fails:
            raise RequestError
        requests.happened.append("response")

    asyncio.run(work())


FORMS = [through_asgi, through_wsgi, in_a_block, in_a_coroutine]


@pytest.mark.parametrize("form", FORMS)
def test_the_look_comes_after_the_response(form: Callable[..., None]) -> None:
    requests = Requests(payload(TIME + 1, 2))
    form(requests)
    requests.settle()
    assert requests.happened == [1, 1, "response", "look"]
    requests.check()
    assert requests.happened[-1] == 2


@pytest.mark.parametrize("form", FORMS)
def test_it_is_waited_for_where_the_process_is_frozen_afterwards(form: Callable[..., None]) -> None:
    requests = Requests(payload(TIME + 1, 2))
    form(requests, always=True)
    assert requests.statsig.config_time == TIME + 1


@pytest.mark.parametrize("form", FORMS)
def test_it_is_waited_for_no_longer_than_the_limit(form: Callable[..., None]) -> None:
    held_back = HeldBack(payload(TIME + 1, 2))
    requests = Requests(held_back)
    form(requests, always=True)  # comes to its end although the adapter does not answer
    assert requests.statsig.config_time == TIME
    held_back.let_go.set()
    requests.settle()
    assert requests.statsig.config_time == TIME + 1


@pytest.mark.parametrize("form", FORMS)
def test_a_request_that_fails_does_not_stop_it(form: Callable[..., None]) -> None:
    requests = Requests(payload(TIME + 1, 2))
    with pytest.raises(RequestError):
        form(requests, fails=True)
    requests.settle()
    assert requests.happened == [1, 1, "look"]


def test_without_a_middleware_it_comes_at_once() -> None:
    requests = Requests(payload(TIME + 1, 2))
    requests.check()
    requests.settle()
    requests.check()
    assert "look" in requests.happened
    assert requests.happened[-1] == 2
