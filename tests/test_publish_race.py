"""Two publishers at once: what is there in the end is the newest, whole, and never was anything older."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import Final

from publishers import KEY, STORE, TickingClock, kv_store, publisher
from small_project import TIME
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.publish.refused import PublishRefusedError

ROUNDS: Final = 1000


def small(time: int) -> bytes:
    """A payload without specs, so that publishing it takes no longer than asking the store."""
    specs: dict[str, list[object]] = {"feature_gates": [], "dynamic_configs": [], "layer_configs": []}
    return json.dumps({"has_updates": True, "time": time, "company_id": f"{time}", **specs}).encode()


def race(emulator: Emulator, rounds: int, clock: TickingClock) -> dict[str, int]:
    """In each round two publishers start together, and one has the newer payload; counts what came of it.

    Fails if what is there in the end of a round is not the newer of the two, and whole.
    """
    start, end = threading.Barrier(3), threading.Barrier(3)
    outcomes: dict[str, int] = {}
    failures: list[BaseException] = []
    emulator.create_kv_store(STORE)

    def publish(mine: int) -> None:
        own = publisher(kv_store(emulator, clock), clock, keep=0)
        try:
            for number in range(rounds):
                # They take turns at having the newer one.
                time = TIME + 2 * number + (mine + number) % 2
                start.wait(60)
                try:
                    outcome: str = own.publish(small(time)).outcome
                except PublishRefusedError as refused:
                    outcome = refused.why
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                end.wait(60)
        except BaseException as error:
            failures.append(error)
            start.abort()
            end.abort()
            raise

    threads = [threading.Thread(target=publish, args=(mine,)) for mine in range(2)]
    for thread in threads:
        thread.start()
    for number in range(rounds):
        start.wait(60)
        end.wait(60)
        newest = TIME + 2 * number + 1
        stored = emulator.item(STORE, KEY)
        assert stored is not None
        assert stored.body == small(newest)
        assert f"time={newest};" in stored.metadata
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sum(outcomes.values()) == 2 * rounds
    assert outcomes["published"] >= rounds
    return outcomes


def test_a_thousand_races_end_in_the_newest_payload() -> None:
    """Where writes are limited, answers are lost and reads are behind. What is waited for takes no time."""
    clock = TickingClock()
    with Emulator(write_interval=1.0, propagation=0.4, clock=clock) as limited:
        limited.fault(Fault(method="PUT", reset="before", after=True, every=7, times=None))
        limited.fault(Fault(method="GET", status=503, every=11, times=None))
        outcomes = race(limited, ROUNDS, clock)
    # They did get in each other's way, in every way there is.
    assert outcomes["older"] > 10
    assert sum(clock.waits) > ROUNDS


def test_races_end_so_where_nothing_is_limited(emulator: Emulator) -> None:
    assert race(emulator, 100, TickingClock())["older"] > 3


def test_what_was_there_only_ever_became_newer(emulator: Emulator) -> None:
    """Eight publishers with payloads of their own, and somebody who looks at what is there all the time."""
    emulator.create_kv_store(STORE)
    threads = [
        threading.Thread(target=_publish_all, args=(emulator, range(TIME + first, TIME + 80, 8)))
        for first in range(8)
    ]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    while any(thread.is_alive() for thread in threads):
        threads[-1].join(0.001)
        stored = emulator.get(STORE, KEY)
        if stored is not None and (time := json.loads(stored)["time"]) not in seen[-1:]:
            seen.append(time)
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert json.loads(emulator.get(STORE, KEY) or b"")["time"] == TIME + 79


def _publish_all(emulator: Emulator, times: range) -> None:
    own = publisher(kv_store(emulator), TickingClock(), keep=0)
    for time in times:
        with suppress(PublishRefusedError):  # it is older by now
            own.publish(small(time))
