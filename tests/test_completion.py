"""`Completion`: waited for from threads, awaited in event loops, with a value or an exception to hand on."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest

from statsig_fastly import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

PATIENCE = 30.0  # seconds until a test that hangs fails


class Work:
    """Something to do that ends when the test says so."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self, outcome: Callable[[], T]) -> Completion[T]:
        def work() -> T:
            self.thread = threading.current_thread()
            assert self.end.wait(PATIENCE)
            return outcome()

        return Completion.run(work, name="some work")


@pytest.fixture
def work() -> Iterator[Work]:
    started = Work()
    yield started
    started.end.set()
    if started.thread is not None:
        started.thread.join(PATIENCE)


def broken() -> int:
    raise LookupError("broken")


# Threads


def test_it_is_pending_until_the_work_is_done(work: Work) -> None:
    completion = work.start(lambda: 5)
    assert (completion.done(), completion.is_set(), repr(completion)) == (False, False, "Completion(pending)")
    assert completion.wait(0) is False
    assert completion.wait(0.001) is False
    work.end.set()
    assert completion.wait() is True
    assert (completion.done(), completion.is_set(), repr(completion)) == (True, True, "Completion(5)")
    assert completion.wait(0) is True
    assert completion.result() == completion.result(0) == 5


@pytest.mark.parametrize("timeout", [0, 0.001, -1])
def test_a_result_that_is_not_there_yet(work: Work, timeout: float) -> None:
    completion = work.start(lambda: 5)
    with pytest.raises(TimeoutError, match=rf"{timeout} s"):
        completion.result(timeout)
    assert not completion.done()
    work.end.set()
    assert completion.result(PATIENCE) == 5


def test_none_is_a_result(work: Work) -> None:
    completion = work.start(lambda: None)
    work.end.set()
    assert completion.wait(PATIENCE)
    completion.result()
    assert repr(completion) == "Completion(None)"


def test_an_exception_is_carried_to_whoever_asks(work: Work) -> None:
    completion = work.start(broken)
    work.end.set()
    assert completion.wait(PATIENCE) is True  # does not raise: it says that the work is over
    assert completion.done()
    assert repr(completion) == "Completion(LookupError('broken'))"
    for _ in range(2):
        with pytest.raises(LookupError, match="broken"):
            completion.result()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_exceptions_that_are_no_errors_are_carried_too(kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    completion = Completion.run(leave, name="some work")
    assert completion.wait(PATIENCE)
    with pytest.raises(kind):
        completion.result()


def test_the_work_is_done_in_a_daemon_thread_of_that_name(work: Work) -> None:
    completion = work.start(threading.current_thread)
    work.end.set()
    thread = completion.result(PATIENCE)
    assert (thread.name, thread.daemon) == ("some work", True)
    assert thread is not threading.current_thread()


def test_one_that_is_done_from_the_start() -> None:
    completion = Completion.of("value")
    assert (completion.done(), completion.wait(0), completion.result(0)) == (True, True, "value")
    assert repr(completion) == "Completion('value')"


def test_many_threads_may_wait(work: Work) -> None:
    completion = work.start(lambda: 5)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(completion.result, PATIENCE) for _ in range(8)]
        work.end.set()
        assert [one.result(PATIENCE) for one in waiting] == [5] * 8


# Event loops


def test_awaiting(work: Work) -> None:
    completion = work.start(lambda: 5)

    async def main() -> int:
        # The loop goes on while the work does: it is this loop that lets the work end.
        asyncio.get_running_loop().call_soon(work.end.set)
        return await completion

    assert asyncio.run(main()) == 5


def test_several_tasks_may_await_the_same(work: Work) -> None:
    completion = work.start(lambda: 5)

    async def one() -> int:
        return await completion

    async def main() -> list[int]:
        tasks = [asyncio.create_task(one()) for _ in range(20)]
        asyncio.get_running_loop().call_soon(work.end.set)
        return [*await asyncio.gather(*tasks), await completion, await completion]

    assert asyncio.run(main()) == [5] * 22


def test_tasks_of_several_loops_may_await_the_same(work: Work) -> None:
    completion = work.start(lambda: 5)
    all_wait = threading.Barrier(3)

    async def main() -> int:
        async def meet() -> None:
            await asyncio.get_running_loop().run_in_executor(None, all_wait.wait, PATIENCE)

        return (await asyncio.gather(as_coroutine(completion), meet()))[0]

    def let_go() -> None:
        all_wait.wait(PATIENCE)
        work.end.set()

    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(asyncio.run, main()) for _ in range(2)]
        pool.submit(let_go).result(PATIENCE)
        assert [answer.result(PATIENCE) for answer in answers] == [5, 5]


async def as_coroutine(completion: Completion[T]) -> T:
    return await completion


def test_awaiting_one_that_is_done_does_not_suspend() -> None:
    steps = as_coroutine(Completion.of(5))
    with pytest.raises(StopIteration) as caught:
        steps.send(None)  # no loop at all
    assert caught.value.value == 5


def test_an_exception_reaches_whoever_awaits(work: Work) -> None:
    completion = work.start(broken)

    async def main() -> list[object]:
        asyncio.get_running_loop().call_soon(work.end.set)
        waiting = [as_coroutine(completion) for _ in range(3)]
        return [*await asyncio.gather(*waiting, return_exceptions=True)]

    assert [str(error) for error in asyncio.run(main())] == ["broken"] * 3
    with pytest.raises(LookupError):
        asyncio.run(as_coroutine(completion))


def test_a_cancelled_task_leaves_the_work_and_the_others_alone(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    completion = work.start(lambda: 5)

    async def main() -> int:
        impatient, patient = (asyncio.create_task(as_coroutine(completion)) for _ in range(2))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(impatient, 0.001)
        assert impatient.cancelled()
        work.end.set()
        return await patient

    assert asyncio.run(main()) == 5
    assert caplog.records == []  # a loop logs what goes wrong in its callbacks


def test_a_loop_that_is_closed_before_the_work_is_done(work: Work, capfd: pytest.CaptureFixture[str]) -> None:
    completion = work.start(lambda: 5)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(as_coroutine(completion), 0.001)

    asyncio.run(main())  # closes its loop with the completion pending
    work.end.set()
    assert completion.result(PATIENCE) == 5
    assert work.thread is not None
    work.thread.join(PATIENCE)
    assert capfd.readouterr().err == ""
    assert asyncio.run(as_coroutine(completion)) == 5


def test_awaiting_without_a_loop_is_refused(work: Work) -> None:
    steps = as_coroutine(work.start(lambda: 5))
    with pytest.raises(RuntimeError, match="no running event loop"):
        steps.send(None)


def test_a_waiting_thread_does_not_keep_others_from_asking(work: Work) -> None:
    completion = work.start(lambda: 5)
    waiting = threading.Thread(target=completion.wait, args=(PATIENCE,))
    waiting.start()
    assert completion.done() is False
    assert completion.wait(0) is False
    work.end.set()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_a_wait_that_was_given_up_is_forgotten() -> None:
    let_go = threading.Event()
    completion = Completion.run(let_go.wait, name="test")

    async def wait() -> bool:
        return await completion

    async def give_up() -> None:
        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        assert completion._callbacks
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    for _ in range(3):
        asyncio.run(give_up())
    assert not completion._callbacks
    let_go.set()
    assert completion.result(30)


def test_work_is_done_at_once_where_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError(refusal)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    refusal = "can't create new thread at interpreter shutdown"
    assert Completion.run(lambda: 1, name="work").result(0) == 1
    refusal = "can't start new thread"
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Completion.run(lambda: 1, name="work")
