"""Real threads over real HTTP: checks while payload after payload is published and used."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from scripted_adapter import PATIENCE
from small_project import TIME, payload
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, SyncDetails, SyncPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly.emulator import Emulator

VERSIONS = 1000
THREADS = 8


@pytest.fixture(autouse=True)
def _in_short_turns() -> Iterator[None]:
    """Threads that only check must not keep the one that looks from its turn for long."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def test_every_check_sees_exactly_one_version(emulator: Emulator) -> None:
    store = emulator.create_kv_store("specs")
    emulator.put("specs", "statsig-1", payload(TIME, 0))
    applied = threading.Semaphore(0)
    updates: list[int | None] = []

    def updated(details: SyncDetails) -> None:
        updates.append(details.config_time)
        applied.release()

    adapter = FastlyDataAdapter(store, "statsig-1", token=emulator.token, api=emulator.url)
    options = StatsigOptions(
        data_adapter=adapter,
        sync_policy=SyncPolicy.background(0.001, jitter=0),
        on_update=updated,
        disable_all_logging=True,
    )
    ended = threading.Event()
    problems: list[str] = []
    seen: list[set[int]] = [set() for _ in range(THREADS)]

    def check(mine: set[int]) -> None:
        last = -1
        while not ended.is_set():
            config = statsig.get_dynamic_config("u-1", "number")
            number = int(config.get("a", -1))
            whole = (config.get("b"), config.get("c"), config.rule_id, config.details.lcut)
            if whole != ([number], {"d": number}, f"rule_{number}", TIME + number):
                problems.append(f"a mixture: {number} and {whole}")
                return
            if number < last:
                problems.append(f"back from {last} to {number}")
                return
            last = number
            mine.add(number)

    with Statsig("secret-key", options) as statsig:
        threads = [threading.Thread(target=check, args=(mine,)) for mine in seen]
        assert applied.acquire(timeout=PATIENCE)
        for thread in threads:
            thread.start()
        for number in range(1, VERSIONS + 1):
            emulator.put("specs", "statsig-1", payload(TIME + number, number))
            if number % 20 == 0:  # these at least are seen by the client
                while updates[-1] != TIME + number:
                    assert applied.acquire(timeout=PATIENCE)
        ended.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert problems == []
        assert statsig.config_time == TIME + VERSIONS
        assert updates == sorted(updates, key=lambda time: time or 0)
        assert len(updates) > VERSIONS / 20
        assert statsig.stats().sync.failed == 0
    assert all(len(mine) > 5 for mine in seen)
