"""The loop that keeps a store up to date: what it does about news, failures, guards, and others like it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import urllib3

from publishers import KEY, STORE, TickingClock, kv_store, publisher
from scripted_adapter import ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import AdapterError, MemoryAdapter
from statsig_fastly.emulator import Fault
from statsig_fastly.publish.health import Health
from statsig_fastly.publish.watch import Stopped, Watch, WatchState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.emulator import Emulator
    from statsig_fastly.publish.report import PublishReport


class Watching:
    """A watch that looks when it is told to, on a clock that moves when it is told to."""

    def __init__(
        self,
        source: SpecAdapter,
        emulator: Emulator,
        beside: Callable[[], object] | None = None,
        *,
        dry_run: bool = False,
    ) -> None:
        self.clock = TickingClock()
        self.states: list[WatchState] = []
        self.stopped = threading.Event()
        self.watch = Watch(
            source,
            publisher(kv_store(emulator, self.clock), self.clock, keep=0, dry_run=dry_run),
            10.0,
            stopped=self.stopped,
            report=self._note,
            beside=beside,
            clock=self.clock,
            chance=lambda: 0.0,
        )

    def _note(self, state: WatchState, report: PublishReport | None) -> None:
        del report
        self.states.append(state)

    def look(self) -> tuple[str, float]:
        """What a look came to, and how long it is to the next; that time passes."""
        pause = self.watch.look()
        self.clock.wait(pause)
        return self.states[-1].outcome, pause


def test_news_are_published_and_what_is_not_new_costs_nothing(emulator: Emulator) -> None:
    source = MemoryAdapter(payload())
    watching = Watching(source, emulator)
    assert watching.look() == ("published", 10.0)
    emulator.take_requests()
    assert watching.look() == ("nothing new", 10.0)
    assert emulator.take_requests() == []
    source.update(payload(TIME + 1, 2))
    assert watching.look() == ("published", 10.0)
    assert emulator.get(STORE, KEY) == payload(TIME + 1, 2)


def test_what_somebody_else_did_to_the_store_is_put_right_within_a_minute(emulator: Emulator) -> None:
    watching = Watching(MemoryAdapter(payload(TIME + 1)), emulator)
    watching.look()
    emulator.put(STORE, KEY, payload(TIME))
    outcomes = [watching.look()[0] for _ in range(7)]
    assert "published" in outcomes
    assert set(outcomes) == {"nothing new", "published"}
    assert emulator.get(STORE, KEY) == payload(TIME + 1)


def test_a_newer_payload_of_somebody_else_stays(emulator: Emulator) -> None:
    source = MemoryAdapter(payload(TIME))
    watching = Watching(source, emulator)
    kv_store(emulator)
    emulator.put(STORE, KEY, payload(TIME + 1))
    assert watching.look()[0] == "refused"
    assert "newer payload" in str(watching.states[-1].error)
    assert emulator.get(STORE, KEY) == payload(TIME + 1)
    # Nothing has failed, and it is not downloaded again at every look.
    assert watching.states[-1].failures == 0
    assert watching.look()[0] == "nothing new"
    # Yet whoever looks at the health sees that the store does not have it.
    assert "newer payload" in str(watching.states[-1].refused)
    source.update(payload(TIME + 2))
    assert watching.look()[0] == "published"
    assert watching.states[-1].refused is None


def test_after_failures_it_waits_longer_and_tries_the_same_again(emulator: Emulator) -> None:
    watching = Watching(MemoryAdapter(payload()), emulator)
    fault = Fault(method="PUT", status=500, times=None)
    emulator.fault(fault)
    pauses = [watching.look() for _ in range(6)]
    assert [outcome for outcome, _ in pauses] == ["failed"] * 6
    assert pauses[-1][1] > pauses[0][1]
    assert pauses[-1][1] <= 60
    assert [state.failures for state in watching.states] == [1, 2, 3, 4, 5, 6]
    emulator.clear_faults()
    assert watching.look() == ("published", 10.0)
    assert watching.states[-1].failures == 0


def test_a_source_that_asks_to_be_left_alone_is(emulator: Emulator) -> None:
    busy = AdapterError("too many requests", status=429, retryable=True, retry_after=45)
    assert Watching(ScriptedAdapter(busy), emulator).look() == ("failed", 45)


def test_what_is_done_beside_goes_on_where_specs_are_refused_and_fails_alone(
    emulator: Emulator,
) -> None:
    done: list[str] = []

    def beside() -> None:
        done.append("beside")
        raise AdapterError("no lists")

    watching = Watching(MemoryAdapter(payload(TIME)), emulator, beside)
    assert watching.look()[0] == "failed"
    assert watching.states[-1].error == "no lists"
    assert watching.states[-1].published_at is not None  # the config specs, all the same
    emulator.put(STORE, KEY, payload(TIME + 1))
    watching.clock.wait(60)
    done.clear()
    watching.look()
    assert watching.states[-1].refused is not None
    assert done == ["beside"]


def test_a_dry_run_says_what_it_would_do(emulator: Emulator) -> None:
    assert Watching(MemoryAdapter(payload()), emulator, dry_run=True).look()[0] == "would publish"
    assert emulator.keys(STORE) == []


def test_replicas_do_not_get_in_each_others_way(emulator: Emulator) -> None:
    source = MemoryAdapter(payload())
    replicas = [Watching(source, emulator) for _ in range(3)]
    writes = []
    for number in range(1, 4):
        source.update(payload(TIME + number, number))
        outcomes = [replica.look()[0] for replica in replicas]
        assert sorted(outcomes) == ["published", "unchanged", "unchanged"]
        writes.append(sum(request.method == "PUT" for request in emulator.take_requests()))
    assert writes == [1, 1, 1]


def test_it_ends_when_it_is_stopped_also_in_the_middle_of_a_wait(emulator: Emulator) -> None:
    watching = Watching(MemoryAdapter(payload()), emulator)
    thread = threading.Thread(target=watching.watch.run)
    thread.start()
    watching.stopped.set()
    thread.join(20)
    assert not thread.is_alive()

    stopping = Watching(ScriptedAdapter(Stopped()), emulator)
    stopping.watch.run()
    assert stopping.states == []


def test_health_is_told_in_a_file_and_at_an_address(tmp_path: Path) -> None:
    clock = TickingClock()
    health = Health(60, tmp_path / "health.json", clock=clock)
    port = health.serve("127.0.0.1", 0)
    try:
        address = f"http://127.0.0.1:{port}/healthz"
        assert urllib3.request("GET", address, retries=False).status == 503
        health.note(WatchState("published", clock(), succeeded_at=clock(), published_at=clock(), time=TIME))
        answer = urllib3.request("GET", address, retries=False)
        assert (answer.status, answer.json()["time"]) == (200, TIME)
        assert json.loads((tmp_path / "health.json").read_text()) == answer.json()
        clock.wait(61)
        assert urllib3.request("GET", address, retries=False).status == 503
    finally:
        health.close()
