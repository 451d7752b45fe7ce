"""`FlushAfter`: when it flushes, for how long it waits, and what it leaves as it is."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from event_sink import EventSink
from held_collector import PATIENCE, HeldCollector, events_of, quiet_client
from statsig_fastly import Statsig
from statsig_fastly.web.flush_after import FlushAfter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


class DueStatsig(Statsig):
    """A client whose events are always due."""

    @property
    def flush_due(self) -> bool:
        return True


def in_a_function(after: FlushAfter, work: Callable[[], object]) -> object:
    @after
    def unit(first: int, *, second: int) -> tuple[object, int, int]:
        return work(), first, second

    result, *arguments = unit(1, second=2)
    assert arguments == [1, 2]
    assert unit.__name__ == "unit"
    return result


def in_a_coroutine(after: FlushAfter, work: Callable[[], object]) -> object:
    @after
    async def unit(first: int, *, second: int) -> tuple[object, int, int]:
        await asyncio.sleep(0)
        return work(), first, second

    assert asyncio.iscoroutinefunction(unit)
    result, *arguments = asyncio.run(unit(1, second=2))
    assert arguments == [1, 2]
    return result


def in_a_block(after: FlushAfter, work: Callable[[], object]) -> object:
    with after:
        return work()


def in_an_async_block(after: FlushAfter, work: Callable[[], object]) -> object:
    async def unit() -> object:
        async with after:
            return work()

    return asyncio.run(unit())


FORMS = [in_a_function, in_a_coroutine, in_a_block, in_an_async_block]


@pytest.mark.parametrize("form", FORMS)
def test_events_have_arrived_when_the_work_is_over(form: Callable[..., object], sink: EventSink) -> None:
    statsig = quiet_client(sink.url)

    def work() -> str:
        statsig.log_event("u-1", "worked")
        assert sink.events == []
        return "done"

    assert form(FlushAfter(statsig, limit=PATIENCE), work) == "done"
    assert [event["eventName"] for event in sink.events] == ["worked"]


@pytest.mark.parametrize("form", FORMS)
def test_an_exception_goes_through_and_the_events_arrive(
    form: Callable[..., object], sink: EventSink
) -> None:
    statsig = quiet_client(sink.url)
    problem = KeyError("on purpose")

    def work() -> None:
        statsig.log_event("u-1", "failed")
        raise problem

    with pytest.raises(KeyError) as caught:
        form(FlushAfter(statsig, limit=PATIENCE), work)
    assert caught.value is problem
    assert [event["eventName"] for event in sink.events] == ["failed"]


@pytest.mark.parametrize("form", [in_a_function, in_a_block])
@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_process_is_not_held_up(
    form: Callable[..., object], end: type[BaseException], sink: EventSink
) -> None:
    statsig = quiet_client(sink.url)

    def work() -> None:
        statsig.log_event("u-1", "ended")
        raise end

    with pytest.raises(end):
        form(FlushAfter(statsig, limit=PATIENCE), work)
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 1)


def test_a_cancelled_task_is_not_held_up(sink: EventSink) -> None:
    statsig = quiet_client(sink.url)

    async def program() -> None:
        working = asyncio.Event()

        @FlushAfter(statsig, limit=PATIENCE)
        async def unit() -> None:
            statsig.log_event("u-1", "cancelled")
            working.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(unit())
        await working.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
    assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("limit", [0, 0.05])
def test_a_collector_that_does_not_answer_is_waited_for_within_the_limit(
    form: Callable[..., object], limit: float
) -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)
        assert form(FlushAfter(statsig, limit=limit), lambda: statsig.log_event("u-1", "slow")) is None
        # The request still goes on: it was the limit that ended the wait.
        assert (events_of(statsig).requests, events_of(statsig).pending) == (0, 1)
        collector.may_answer.set()
        assert statsig.flush().result(PATIENCE).pending == 0


def test_an_event_loop_goes_on_while_it_waits() -> None:
    with HeldCollector() as collector:
        statsig = quiet_client(collector.url)

        async def program() -> None:
            async def unit() -> None:
                async with FlushAfter(statsig, limit=PATIENCE):
                    statsig.log_event("u-1", "slow")

            task = asyncio.ensure_future(unit())
            assert await asyncio.to_thread(collector.asked.wait, PATIENCE)
            assert not task.done()
            collector.may_answer.set()
            await task

        asyncio.run(program())
        assert events_of(statsig).sent == 1


@pytest.mark.parametrize(("kind", "flushes"), [(Statsig, False), (DueStatsig, True)])
@pytest.mark.parametrize("form", FORMS)
def test_where_it_is_told_so_it_flushes_only_what_is_due(
    form: Callable[..., object], kind: type[Statsig], flushes: bool, sink: EventSink
) -> None:
    statsig = quiet_client(sink.url, kind)
    form(FlushAfter(statsig, limit=PATIENCE, always=False), lambda: statsig.log_event("u-1", "worked"))
    assert events_of(statsig).sent == int(flushes)


@pytest.mark.parametrize("form", FORMS)
def test_a_flush_that_cannot_be_made_leaves_the_outcome(
    form: Callable[..., object],
    sink: EventSink,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    statsig = quiet_client(sink.url)

    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def work() -> str:
        monkeypatch.setattr(threading.Thread, "start", no_more)
        return "done"

    assert form(FlushAfter(statsig), work) == "done"
    assert caplog.messages == ["flushing events failed"]
    assert "can't start new thread" in caplog.text


def test_blocks_may_be_nested_and_run_at_once(sink: EventSink) -> None:
    statsig = quiet_client(sink.url)
    after = FlushAfter(statsig, limit=PATIENCE)

    @after
    async def unit(number: int) -> None:
        async with after:
            await asyncio.sleep(0)
            statsig.log_event("u-1", f"unit {number}")

    async def program() -> None:
        await asyncio.gather(*(unit(number) for number in range(20)))

    asyncio.run(program())
    assert sorted(event["eventName"] for event in sink.events) == sorted(f"unit {n}" for n in range(20))


def test_generators_are_refused(sink: EventSink) -> None:
    after = FlushAfter(quiet_client(sink.url))

    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, later):
        with pytest.raises(TypeError, match="expected a function or a coroutine function, got a generator"):
            after(function)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"limit": "1"}, TypeError, "argument 'limit': expected a number of seconds, got str"),
        ({"limit": True}, TypeError, "argument 'limit': expected a number of seconds, got bool"),
        ({"limit": -1}, ValueError, "argument 'limit': expected at least 0 s, got -1"),
        ({"limit": float("nan")}, ValueError, "argument 'limit': expected at least 0 s, got nan"),
        ({"always": 1}, TypeError, "argument 'always': expected bool, got int"),
    ],
)
def test_wrong_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str, sink: EventSink
) -> None:
    statsig = quiet_client(sink.url)
    with pytest.raises(error) as caught:
        FlushAfter(statsig, **arguments)
    assert str(caught.value) == message


def test_a_client_that_is_none() -> None:
    nothing: Any = "secret-key"
    with pytest.raises(TypeError, match="argument 'statsig': expected Statsig, got str"):
        FlushAfter(nothing)
