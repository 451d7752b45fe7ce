"""`threads`: none is half started when the interpreter ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from scripted_adapter import PATIENCE
from statsig_fastly import threads
from statsig_fastly.completion import Completion
from statsig_fastly.step_thread import StepThread

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ended() -> Iterator[None]:
    """No thread of the package is started any more."""
    threads.end()
    yield
    threads.forked()


class Slow(threading.Thread):
    """A thread whose start is not over until it is let."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.starting = threading.Event()
        self.let = threading.Event()

    def start(self) -> None:
        self.starting.set()
        assert self.let.wait(PATIENCE)
        super().start()


def test_the_end_waits_for_a_thread_that_is_being_started() -> None:
    thread = Slow()
    starter = threading.Thread(target=threads.start_daemon, args=(thread,))
    starter.start()
    assert thread.starting.wait(PATIENCE)
    alive_at_end = []

    def end() -> None:
        threads.end()
        alive_at_end.append(thread.ident is not None)

    ending = threading.Thread(target=end)
    try:
        ending.start()
        thread.let.set()
        ending.join(PATIENCE)
        starter.join(PATIENCE)
    finally:
        threads.forked()
    assert alive_at_end == [True]


@pytest.mark.usefixtures("ended")
def test_work_is_done_at_once_after_the_end() -> None:
    done_in = Completion.run(threading.get_ident, name="late")
    assert done_in.done()
    assert done_in.result() == threading.get_ident()


class Steps:
    """Something to do in the background."""

    def step(self) -> float | None:
        return None


@pytest.mark.usefixtures("ended")
def test_no_step_thread_is_started_after_the_end() -> None:
    steps = Steps()
    assert not StepThread("late", steps.step).signal()


def test_a_forked_child_starts_threads_again() -> None:
    threads.end()
    threads.forked()
    ran = threading.Event()
    assert threads.start_daemon(threading.Thread(target=ran.set, daemon=True))
    assert ran.wait(PATIENCE)
