"""What signal handlers raise while an event is recorded reaches whoever records it, and costs no event."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from interruptions import each_place, interrupted
from named_events import NamedEvents, arrived, balanced, delivery_to
from small_project import payload
from statsig_fastly import (
    DynamicConfigEvaluationOptions,
    ExperimentEvaluationOptions,
    FeatureGateEvaluationOptions,
    LayerEvaluationOptions,
    ParameterStoreEvaluationOptions,
    lifecycle,
)
from statsig_fastly import step_thread as thread_module
from statsig_fastly._native import Evaluator, EventLog
from statsig_fastly.events import backlog
from statsig_fastly.events import delivery as delivery_module
from statsig_fastly.step_thread import StepThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.emulator import Emulator

PATIENCE = 30.0
NAME = "statsig-fastly-events"


class Interrupt(BaseException):
    """What a handler raises here."""


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """Exceptions that Python had nobody to hand to."""
    found: list[BaseException | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: found.append(told.exc_value))
    return found


class Storage:
    """Keeps nothing."""

    def save(self, *_: object) -> None: ...
    def delete(self, *_: object) -> None: ...
    def refuse(self, *_: object) -> None: ...


KEPT = {"value": True, "json_value": {"a": "kept"}, "rule_id": "r", "time": 1}
SPECS: dict[str, tuple[str, Any, str | None]] = {
    # Method, its options that leave the exposure out, and what is read of the result.
    "check_gate": ("on", FeatureGateEvaluationOptions, None),
    "get_feature_gate": ("on", FeatureGateEvaluationOptions, None),
    "get_dynamic_config": ("number", DynamicConfigEvaluationOptions, None),
    "get_experiment": ("button", ExperimentEvaluationOptions, None),
    "get_layer": ("page", LayerEvaluationOptions, "get"),
    "get_parameter_store": ("store", ParameterStoreEvaluationOptions, "get_string"),
}


def check(method: str, *, quiet: bool = False) -> Callable[[Evaluator], object]:
    name, options, read = SPECS[method]

    def made(evaluator: Evaluator) -> object:
        found = getattr(evaluator, method)("u-1", name, options(disable_exposure_logging=quiet))
        return found if read is None else getattr(found, read)("title", "x")

    return made


CALLS: dict[str, Callable[[Evaluator], object]] = {
    **{method: check(method) for method in SPECS},
    **{f"{method}, quiet": check(method, quiet=True) for method in SPECS},
    "a kept experiment": lambda evaluator: evaluator.get_experiment(
        "u-1", "button", ExperimentEvaluationOptions(user_persisted_values={"button": KEPT})
    ),
    "a kept layer": lambda evaluator: evaluator.get_layer(
        "u-1", "page", LayerEvaluationOptions(user_persisted_values={"page": KEPT})
    ).get("a"),
    "nothing of that name": lambda evaluator: evaluator.check_gate("u-1", "ghost"),
    "by hand, a gate": lambda evaluator: evaluator.manually_log_gate_exposure("u-1", "on"),
    "by hand, a config": lambda evaluator: evaluator.manually_log_dynamic_config_exposure("u-1", "number"),
    "by hand, an experiment": lambda evaluator: evaluator.manually_log_experiment_exposure("u-1", "button"),
    "by hand, a parameter": lambda evaluator: evaluator.manually_log_layer_parameter_exposure(
        "u-1", "page", "title"
    ),
    "log_event": lambda evaluator: evaluator.log_event("u-1", "purchase"),
    "identify": lambda evaluator: evaluator.identify("u-1"),
}


def evaluator_of(log: EventLog, call: str) -> Evaluator:
    evaluator = Evaluator(events=log, storage=Storage() if "kept" in call else None)
    evaluator._load(payload(), "Test")
    return evaluator


@pytest.fixture
def log() -> EventLog:
    return EventLog(batch_size=100, capacity=1000, dedupe_ms=60_000, dedupe_keys=1000)


@pytest.mark.parametrize("kind", [Interrupt, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("call", CALLS)
def test_it_reaches_the_caller_and_the_event_is_recorded(
    log: EventLog, unraisable: list[BaseException | None], call: str, kind: type[BaseException]
) -> None:
    told: list[bool] = []

    def notify(full: bool) -> None:
        told.append(full)
        if len(told) == 1:
            raise kind("from a handler")

    log.on_waiting(notify)
    evaluator = evaluator_of(log, call)
    with pytest.raises(kind, match="from a handler"):
        CALLS[call](evaluator)
    assert (log.counts["recorded"], len(log), unraisable) == (1, 1, [])
    evaluator.log_event("u-1", "next")  # nobody knows of the first one
    evaluator.log_event("u-1", "another")
    assert told == [False, False]


@pytest.mark.parametrize("call", CALLS)
def test_an_error_of_the_listener_is_reported_and_the_check_goes_on(
    log: EventLog, unraisable: list[BaseException | None], call: str
) -> None:
    told: list[bool] = []

    def notify(full: bool) -> None:
        told.append(full)
        raise LookupError

    log.on_waiting(notify)
    evaluator = evaluator_of(log, call)
    CALLS[call](evaluator)
    evaluator.log_event("u-1", "next")
    assert [type(error) for error in unraisable] == [LookupError] * len(told)
    assert told[:2] == [False, False]


def test_without_room_on_the_stack_the_next_event_is_told_of(
    emulator: Emulator, unraisable: list[BaseException | None]
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    records = log._evaluator.log_event

    def dive(room: int) -> int:
        """Records where there is only so much room left. Returns how deep that is."""
        depth = 0

        def down() -> None:
            nonlocal depth
            depth += 1
            down()

        def record(left: int) -> None:
            if left:
                record(left - 1)
            else:
                records("user", "deep")

        with pytest.raises(RecursionError):
            down()
        record(depth - room)
        return depth

    for room in range(1, 30):
        with suppress(RecursionError):  # there was not even room for this
            dive(room)
        waiting = len(log)
        log.record("next")
        if waiting:
            assert delivery._backlog.waiting_since is not None
            assert delivery in lifecycle._held
            assert delivery.flush(PATIENCE).pending == 0
            thread = delivery._thread._latest
            assert thread is not None
            assert thread.is_alive()
        delivery.flush(PATIENCE)
    assert all(isinstance(error, RecursionError) for error in unraisable)
    assert arrived(emulator).count("deep") > 10
    delivery.shutdown(10)


def test_it_comes_also_when_a_batch_is_full(log: EventLog, unraisable: list[BaseException | None]) -> None:
    def notify(full: bool) -> None:
        if full:
            raise Interrupt

    log.on_waiting(notify)
    evaluator = evaluator_of(log, "")
    for _ in range(99):
        evaluator.log_event("u-1", "event")
    with pytest.raises(Interrupt):
        evaluator.check_gate("u-1", "on")
    assert (log.counts["recorded"], unraisable) == (100, [])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_real_signals_at_any_time(emulator: Emulator, unraisable: list[BaseException | None]) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    fired = reached = 0

    def handler(*_: object) -> None:
        nonlocal fired
        fired += 1
        raise Interrupt

    def record(number: int) -> None:
        signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + number % 60))
        log.record("event")
        while fired <= number:
            pass

    # What other tests left behind is not to be collected meanwhile: what is raised then reaches nobody.
    gc.collect()
    gc.disable()
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for number in range(300):
            while log.native.take(10) is not None:  # the next one is the first again
                pass
            try:
                record(number)
            except Interrupt:
                reached += 1
    finally:
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert (reached, unraisable) == (300, [])
    while log.native.take(10) is not None:
        pass
    log.record("last")
    assert delivery.flush(PATIENCE).pending == 0
    assert arrived(emulator)[-1:] == ["last"]
    delivery.shutdown(10)


# The thread


class Steps:
    """Something to be done by one thread at a time.

    Attributes:
        taken: Set when it was done.
        threads: Who did it.
        overlaps: How often somebody else was doing it.
    """

    def __init__(self) -> None:
        self.taken = threading.Event()
        self.threads: set[int] = set()
        self.overlaps = 0
        self._one = threading.Lock()

    def step(self) -> None:
        alone = self._one.acquire(blocking=False)
        self.overlaps += not alone
        self.threads.add(threading.get_ident())
        sum(range(1000))
        self.taken.set()
        if alone:
            self._one.release()

    def died(self) -> None:
        raise AssertionError("it did not")


def running(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME and thread not in before]


@pytest.fixture
def others() -> set[threading.Thread]:
    """Threads of clients that other tests did not shut down."""
    return {thread for thread in threading.enumerate() if thread.name == NAME}


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_an_interrupt_after_the_start_starts_no_second_thread(
    steps: Steps, others: set[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        start(thread)
        raise Interrupt

    thread = StepThread("statsig-fastly-events", steps.step, steps.died)
    monkeypatch.setattr(threading.Thread, "start", started)
    with pytest.raises(Interrupt):
        thread.signal()
    for _ in range(100):
        assert thread.signal()
    monkeypatch.undo()
    assert steps.taken.wait(PATIENCE)
    assert thread.signal()
    assert len(running(others)) == 1
    thread.stop()
    _join(others)
    assert len(steps.threads) == 1


def _join(others: set[threading.Thread]) -> None:
    for thread in running(others):
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_an_interrupt_anywhere_leaves_nothing_behind(others: set[threading.Thread]) -> None:
    def handler() -> None:
        raise Interrupt

    def test(place: int) -> bool:
        steps = Steps()
        thread = StepThread("statsig-fastly-events", steps.step, steps.died)
        reached = True
        with suppress(Interrupt):
            reached = interrupted(thread.signal, handler, [thread_module], place)
        assert thread.signal()
        assert steps.taken.wait(PATIENCE), f"interrupted at {place}: it does not run"
        thread.stop()
        assert steps.overlaps == 0
        return reached

    assert each_place(test) > 20
    _join(others)


def test_signals_from_many_threads_run_one(steps: Steps, others: set[threading.Thread]) -> None:
    thread = StepThread("statsig-fastly-events", steps.step, steps.died)
    began = threading.Barrier(8)

    def signal_often() -> None:
        began.wait(PATIENCE)
        for _ in range(500):
            assert thread.signal()
            thread.stop()  # so that it ends, and is started again, all the time

    callers = [threading.Thread(target=signal_often) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    steps.taken.clear()
    assert thread.signal()
    assert steps.taken.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while running(others):
        assert time.monotonic() < deadline
        _join(others)
    assert steps.overlaps == 0


def test_an_interrupt_anywhere_in_a_notification_costs_no_event(emulator: Emulator) -> None:
    log = NamedEvents(batch_size=1000)
    delivery = delivery_to(emulator.url, log, batch_size=1000)
    log.on_waiting(delivery.notify)
    modules = [lifecycle, backlog, delivery_module, thread_module]

    def handler() -> None:
        raise Interrupt

    def test(place: int) -> bool:
        try:
            return interrupted(lambda: log.record(f"event-{place}"), handler, modules, place)
        except Interrupt:
            return True
        finally:
            assert delivery.flush(PATIENCE).pending == 0

    places = each_place(test)
    assert places > 20
    assert arrived(emulator) == [f"event-{place}" for place in range(1, places + 2)]
    assert balanced(delivery).sent == places + 1
    delivery.shutdown(10)
