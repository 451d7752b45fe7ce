"""Two publishers at once: what is there in the end is the newest, whole, and never was anything older."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from publishers import KEY, STORE, TickingClock, kv_store, publisher
from small_project import TIME
from statsig_fastly.publish.refused import PublishRefusedError

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator

ROUNDS: Final = 1000


def small(time: int) -> bytes:
    """A payload without specs, so that publishing it takes no longer than asking the store."""
    specs: dict[str, list[object]] = {"feature_gates": [], "dynamic_configs": [], "layer_configs": []}
    return json.dumps({"has_updates": True, "time": time, "company_id": f"{time}", **specs}).encode()


def test_a_thousand_races_end_in_the_newest_payload(emulator: Emulator) -> None:
    """Each round, two publishers start together with payloads of which one is newer."""
    start, end = threading.Barrier(3), threading.Barrier(3)
    outcomes: dict[str, int] = {}
    failures: list[BaseException] = []
    emulator.create_kv_store(STORE)

    def publish(mine: int) -> None:
        own = publisher(kv_store(emulator), keep=0)
        try:
            for number in range(ROUNDS):
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
    newest = 0
    for number in range(ROUNDS):
        start.wait(60)
        end.wait(60)
        stored = emulator.item(STORE, KEY)
        assert stored is not None
        assert stored.body == small(TIME + 2 * number + 1)
        assert f"time={TIME + 2 * number + 1};" in stored.metadata
        newest += 1
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert newest == ROUNDS
    assert sum(outcomes.values()) == 2 * ROUNDS
    # They did get in each other's way, in every way there is.
    assert outcomes["older"] > 10
    assert outcomes["published"] >= ROUNDS


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
