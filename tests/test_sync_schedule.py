"""When a client looks: in the background, on request, by hand, after a fork."""

from __future__ import annotations

import gc
import itertools
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import AdapterError, Statsig, StatsigOptions, SyncDetails, SyncPolicy
from statsig_fastly._native import Evaluator
from sync_parts import Parts, parts_of

if TYPE_CHECKING:
    from pathlib import Path

    from statsig_fastly import Payload

MANUAL, ON_REQUEST = SyncPolicy.manual(), SyncPolicy.on_request(10)
LONG = SyncPolicy.on_request(3600)


class CountingAdapter(ScriptedAdapter):
    """Has a newer payload at each look, and lets a test wait for looks."""

    def __init__(self) -> None:
        super().__init__(None)
        self._looked = threading.Condition()
        self.threads: list[str] = []

    def fetch(self, held_version: str | None = None) -> Payload | None:
        super().fetch(held_version)
        with self._looked:
            self.threads.append(threading.current_thread().name)
            answer = payload(TIME + len(self.threads), len(self.threads))
            self._looked.notify_all()
        return type(self)._payload(answer)

    @staticmethod
    def _payload(body: bytes) -> Payload:
        from statsig_fastly import Payload

        return Payload(body)

    def wait_for(self, looks: int) -> None:
        with self._looked:
            assert self._looked.wait_for(lambda: len(self.threads) >= looks, PATIENCE)


def run_due(parts: Parts) -> list[float]:
    """Runs the background step at the times it asks for, for a minute, and returns them."""
    times: list[float] = []
    wait = parts.schedule.step()
    while wait is not None and (not times or times[-1] < 60):
        parts.pass_by(wait)
        times.append(parts.clock.now - 1000)
        wait = parts.schedule.step()
    return times


# In the background; the thread itself does nothing but wait


def stepped(*answers: object, chance: float = 0.5, interval: float = 10) -> Parts:
    """Parts whose start is over; the thread is not there, the test steps."""
    parts = parts_of(
        ScriptedAdapter(*answers),
        SyncPolicy.background(interval, 0.2),
        chance=lambda: chance,
    )
    parts.schedule._thread.signal = lambda: True  # type: ignore[method-assign]  # no thread but the test's
    parts.schedule.start(parts.looker.look())
    return parts


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 10.0), (0.5, 9.0), (1.0, 8.0)])
def test_looks_come_at_the_interval_less_the_jitter(chance: float, pause: float) -> None:
    parts = stepped(payload(), None, chance=chance)
    times = run_due(parts)
    assert times == pytest.approx([pause * number for number in range(1, len(times) + 1)])
    assert parts.account.stats().looks == 1 + len(times)


def test_what_fails_is_tried_again_sooner_and_never_later_than_the_interval() -> None:
    parts = stepped(payload(), AdapterError("down"), chance=1.0, interval=10)
    times = run_due(parts)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:5] == pytest.approx([1.0, 2.0, 4.0, 8.0, 10.0])
    assert set(map(round, gaps[5:])) <= {10}


def test_a_success_ends_the_hurry() -> None:
    parts = stepped(payload(), AdapterError("down"), AdapterError("down"), None, chance=1.0)
    times = run_due(parts)
    assert times[:4] == pytest.approx([8.0, 9.0, 11.0, 19.0])


def test_retry_after_is_honoured() -> None:
    parts = stepped(payload(), AdapterError("busy", status=429, retry_after=45.0), None, chance=1.0)
    times = run_due(parts)
    assert times[:2] == pytest.approx([8.0, 53.0])


def test_an_hour_of_outage() -> None:
    asked: list[float] = []

    def answer() -> bytes | None:
        now = parts.clock.now - 1000
        asked.append(now)
        if now < 3600:
            raise AdapterError("down")
        return payload(TIME + 1, 2)

    random = iter([0.1, 0.9, 0.5, 0.0, 1.0] * 1000)
    parts = parts_of(
        ScriptedAdapter(payload(), answer), SyncPolicy.background(10), chance=lambda: next(random)
    )
    parts.schedule._thread.signal = lambda: True  # type: ignore[method-assign]
    parts.schedule.start(parts.looker.look())
    while parts.in_use.config_time == TIME:
        wait = parts.schedule.step()
        assert wait is not None
        parts.pass_by(max(wait, 1e-6))
    # It is used within an interval after the store is back, and the store was left alone meanwhile.
    assert asked[-1] - 3600 <= 10
    assert 360 <= len(asked) <= 3600 / 5 + 5
    assert parts.account.stats().failed == len(asked) - 1


def test_workers_that_were_started_together_do_not_stay_together() -> None:
    import random

    seeded = random.Random(7)
    times = []
    for _ in range(100):
        parts = parts_of(
            ScriptedAdapter(AdapterError("down")), SyncPolicy.background(10, 0.1), chance=seeded.random
        )
        parts.schedule._thread.signal = lambda: True  # type: ignore[method-assign]
        parts.schedule.start(parts.looker.look())
        times.append([time for time in run_due(parts) if time > 20])
    # Of a hundred workers in an outage, so many ask in the busiest second; one in ten would be even.
    seconds = [int(at) for one in times for at in one]
    busiest = max(seconds.count(second) for second in set(seconds))
    assert busiest <= 30


def test_stopped_it_looks_no_more() -> None:
    parts = stepped(payload(), None)
    parts.schedule.stop()
    parts.pass_by(1000)
    assert parts.schedule.step() is None
    assert parts.account.stats().looks == 1


def polling() -> set[threading.Thread]:
    """The threads that poll now; those of clients that other tests have left behind, too."""
    return {thread for thread in threading.enumerate() if thread.name == "statsig-fastly-polling"}


def test_a_real_thread_looks_again_and_again() -> None:
    adapter, others = CountingAdapter(), polling()
    options = StatsigOptions(data_adapter=adapter, sync_policy=SyncPolicy.background(0.001))
    with Statsig("secret-key", options) as statsig:
        adapter.wait_for(5)
        assert set(adapter.threads[1:]) == {"statsig-fastly-polling"}
        assert statsig.stats().sync.applied >= 4
        (thread,) = polling() - others
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_client_that_is_dropped_is_collected_and_its_thread_ends() -> None:
    others = polling()
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=ScriptedAdapter(payload(), None)))
    assert statsig.initialize().wait(PATIENCE)
    (thread,) = polling() - others
    gone = weakref.ref(statsig)
    del statsig
    gc.collect()
    assert gone() is None
    thread.join(PATIENCE)
    assert not thread.is_alive()


# On request


def on_request(*answers: object, policy: SyncPolicy = LONG) -> tuple[Statsig, ScriptedAdapter]:
    adapter = ScriptedAdapter(*answers)
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter, sync_policy=policy))
    assert statsig.initialize().wait(PATIENCE)
    return statsig, adapter


def make_due(statsig: Statsig) -> None:
    """As if the last look were old enough."""
    statsig._look_after(0)


def settle() -> None:
    """Waits until no look is under way."""
    for thread in threading.enumerate():
        if thread.name == "statsig-fastly-sync":
            thread.join(PATIENCE)


CHECKS = {
    "check_gate": lambda statsig: statsig.check_gate("u-1", "on"),
    "get_feature_gate": lambda statsig: statsig.get_feature_gate("u-1", "on"),
    "get_dynamic_config": lambda statsig: statsig.get_dynamic_config("u-1", "number"),
    "get_experiment": lambda statsig: statsig.get_experiment("u-1", "button"),
    "get_layer": lambda statsig: statsig.get_layer("u-1", "page"),
    "get_client_initialize_response": lambda statsig: statsig.get_client_initialize_response("u-1"),
    "get_parameter_store": lambda statsig: statsig.get_parameter_store("u-1", "none").get_bool("x", False),
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_notices_that_it_is_time(check: str) -> None:
    statsig, adapter = on_request(payload(), payload(TIME + 1, 2))
    CHECKS[check](statsig)
    settle()
    assert len(adapter.held) == 1
    make_due(statsig)
    CHECKS[check](statsig)
    settle()
    assert (len(adapter.held), statsig.config_time) == (2, TIME + 1)
    CHECKS[check](statsig)  # and the next one is due after another max_age
    settle()
    assert len(adapter.held) == 2
    statsig.shutdown().wait(PATIENCE)


def test_time_passes_by_itself() -> None:
    adapter = CountingAdapter()
    options = StatsigOptions(data_adapter=adapter, sync_policy=SyncPolicy.on_request(0.001))
    with Statsig("secret-key", options) as statsig:
        deadline = time.monotonic() + PATIENCE
        while len(adapter.threads) < 4 and time.monotonic() < deadline:
            statsig.check_gate("u-1", "on")
        adapter.wait_for(4)


def test_the_check_does_not_wait_and_one_look_is_made_at_a_time() -> None:
    held_back = HeldBack(payload(TIME + 1, 2))
    statsig, adapter = on_request(payload(), held_back)
    make_due(statsig)
    assert statsig.check_gate("u-1", "on")
    assert held_back.asked.wait(PATIENCE)
    for _ in range(20):
        make_due(statsig)
        assert statsig.get_dynamic_config("u-1", "number").get("a") == 1
    assert len(adapter.held) == 2
    held_back.let_go.set()
    settle()
    assert statsig.get_dynamic_config("u-1", "number").get("a") == 2


def test_of_many_threads_one_looks() -> None:
    held_back = HeldBack(None)
    statsig, adapter = on_request(payload(), held_back)
    make_due(statsig)
    together = threading.Barrier(8)

    def check() -> None:
        together.wait(PATIENCE)
        for _ in range(200):
            statsig.check_gate("u-1", "on")

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert held_back.asked.wait(PATIENCE)
    assert len(adapter.held) == 2
    held_back.let_go.set()
    settle()


def test_a_failure_is_tried_again_by_a_later_check() -> None:
    statsig, adapter = on_request(payload(), AdapterError("down"), payload(TIME + 1, 2))
    for looks in (2, 3):
        make_due(statsig)
        assert statsig.check_gate("u-1", "on")
        settle()
        assert len(adapter.held) == looks
    assert statsig.config_time == TIME + 1


def test_within_a_request_a_look_waits_for_its_end() -> None:
    statsig, adapter = on_request(payload(), payload(TIME + 1, 2))
    statsig.request_began()
    make_due(statsig)
    assert statsig.check_gate("u-1", "on")
    settle()
    assert len(adapter.held) == 1
    look = statsig.request_ended()
    assert look is not None
    assert look.result(PATIENCE) == SyncDetails("applied", TIME + 1)
    assert len(adapter.held) == 2
    assert statsig.request_ended() is None


def test_the_first_of_several_requests_that_ends_looks() -> None:
    statsig, adapter = on_request(payload(), None)
    for _ in range(3):
        statsig.request_began()
    make_due(statsig)
    statsig.check_gate("u-1", "on")
    looks = [statsig.request_ended() for _ in range(3)]
    assert [look is not None for look in looks] == [True, False, False]
    settle()
    assert len(adapter.held) == 2


def test_a_request_that_never_ends_does_not_keep_the_ruleset_old() -> None:
    statsig, adapter = on_request(payload(), payload(TIME + 1, 2))
    statsig.request_began()
    for looks in (1, 2):
        make_due(statsig)
        statsig.check_gate("u-1", "on")
        settle()
        assert len(adapter.held) == looks
    assert statsig.config_time == TIME + 1


def test_other_policies_do_not_look_on_request() -> None:
    for policy in (MANUAL, SyncPolicy.background(3600)):
        statsig, adapter = on_request(payload(), None, policy=policy)
        statsig.request_began()
        statsig.check_gate("u-1", "on")
        assert statsig.request_ended() is None
        assert len(adapter.held) == 1
        statsig.shutdown().wait(PATIENCE)


def test_after_shutdown_checks_ask_for_nothing() -> None:
    statsig, adapter = on_request(payload(), None)
    make_due(statsig)
    statsig.shutdown().wait(PATIENCE)
    statsig.check_gate("u-1", "on")
    settle()
    assert len(adapter.held) == 1


class StopError(BaseException):
    pass


class DeadlineError(Exception):
    pass


@pytest.mark.parametrize("error", [StopError, DeadlineError])
def test_what_a_signal_handler_raises_while_a_look_begins_goes_on_to_the_check(
    error: type[BaseException],
) -> None:
    told: list[str] = []

    def interrupted() -> None:
        told.append("told")
        raise error

    evaluator = Evaluator()
    evaluator._on_look_due(interrupted)
    evaluator._look_after(0)
    with pytest.raises(error):
        evaluator.check_gate("u-1", "on")
    assert evaluator.check_gate("u-1", "on") is False
    assert told == ["told"]


@pytest.mark.parametrize("policy", [LONG, SyncPolicy.background(3600)], ids=lambda policy: policy.kind)
def test_an_interrupted_notice_is_made_up_for_by_a_later_check(policy: SyncPolicy) -> None:
    statsig, adapter = on_request(payload(), None, policy=policy)
    schedule = statsig._sync.schedule
    real, interruptions = schedule._own_process, 2

    def interrupted() -> None:
        nonlocal interruptions
        if interruptions:
            interruptions -= 1
            raise DeadlineError
        real()

    schedule._own_process = interrupted  # type: ignore[method-assign]
    schedule.forked()
    for _ in range(2):
        with pytest.raises(DeadlineError):
            statsig.check_gate("u-1", "on")
        # A second later; the clock of checks cannot be moved, what they compare it with can.
        statsig._look_after(0)
    statsig.check_gate("u-1", "on")
    settle()
    if policy.kind == "on_request":
        assert len(adapter.held) == 2
    else:
        assert schedule._due_at is not None
        assert not schedule._inherited
    statsig.shutdown().wait(PATIENCE)


# After a fork

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
@pytest.mark.parametrize(
    "policy", [SyncPolicy.background(0.01), SyncPolicy.on_request(0.01)], ids=lambda p: p.kind
)
def test_parent_and_child_go_on_looking(policy: SyncPolicy) -> None:
    adapter = CountingAdapter()
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter, sync_policy=policy))
    assert statsig.initialize().wait(PATIENCE)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # Its first check begins anew; its looks are its own.
            before, deadline = len(adapter.threads), time.monotonic() + PATIENCE
            while len(adapter.threads) < before + 3 and time.monotonic() < deadline:
                statsig.check_gate("u-1", "on")
            status = 0 if len(adapter.threads) >= before + 3 else 2
        finally:
            os._exit(status)
    before, deadline = len(adapter.threads), time.monotonic() + PATIENCE
    while len(adapter.threads) < before + 3 and time.monotonic() < deadline:
        statsig.check_gate("u-1", "on")
    assert os.waitpid(child, 0)[1] == 0
    adapter.wait_for(before + 3)
    statsig.shutdown().wait(PATIENCE)


@needs_fork
def test_a_child_whose_request_begins_while_the_parents_lock_is_held() -> None:
    statsig, _ = on_request(payload(), None)
    lock = statsig._sync.schedule._requests_lock
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            assert let_go.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            statsig.request_began()
            statsig.request_ended()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    let_go.set()
    thread.join(PATIENCE)
    statsig.shutdown().wait(PATIENCE)


def test_a_start_that_shutdown_overtakes_begins_nothing() -> None:
    held_back = HeldBack(payload())
    adapter = ScriptedAdapter(held_back)
    statsig = Statsig(
        "secret-key", StatsigOptions(data_adapter=adapter, sync_policy=SyncPolicy.background(0.001))
    )
    start = statsig.initialize()
    assert held_back.asked.wait(PATIENCE)
    statsig.shutdown().wait(PATIENCE)
    held_back.let_go.set()
    assert start.result(PATIENCE).init_success
    assert statsig._sync.schedule.step() is None
    assert len(adapter.held) == 1


def test_a_callback_may_ask_for_a_look_of_its_own(tmp_path: Path) -> None:
    outcomes: list[str] = []

    def updated(_: SyncDetails) -> None:
        if not outcomes:
            outcomes.append("")
            outcomes.append(statsig.sync().result(PATIENCE).outcome)

    options = StatsigOptions(
        data_adapter=ScriptedAdapter(payload(), None),
        sync_policy=MANUAL,
        last_known_good_dir=tmp_path,
        shared_polling=True,
        on_update=updated,
    )
    statsig = Statsig("secret-key", options)
    assert statsig.initialize().result(PATIENCE).init_success
    assert outcomes == ["", "unchanged"]
    statsig.shutdown().wait(PATIENCE)
