"""Publishers for tests: to the stores of an emulator, with a clock that waiting moves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from small_project import TIME, project
from statsig_fastly.adapters.fastly_api import FastlyApi
from statsig_fastly.publish.config_store import ConfigStore
from statsig_fastly.publish.kv_store import KvStore
from statsig_fastly.publish.options import PublishOptions
from statsig_fastly.publish.publisher import Publisher
from statsig_fastly.publish.retries import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.emulator import Emulator
    from statsig_fastly.publish.store import Store

__all__ = [
    "KEY",
    "STORE",
    "TickingClock",
    "api_of",
    "config_store",
    "kv_store",
    "padded",
    "patience",
    "publisher",
]

STORE: Final = "specs"
KEY: Final = "statsig-1"


class TickingClock:
    """Seconds since the epoch, which pass when somebody waits."""

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self.now = now
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def patience(clock: TickingClock | None = None, attempts: int = 6) -> Patience:
    """Waits that take no time."""
    clock = TickingClock() if clock is None else clock
    return Patience(attempts, wait=clock.wait, clock=clock, chance=lambda: 1.0)


def api_of(emulator: Emulator) -> FastlyApi:
    """The API that the emulator stands in for."""
    return FastlyApi(
        token=emulator.token,
        api=emulator.url,
        connect_timeout=3.0,
        read_timeout=10.0,
        total_timeout=30.0,
        transport=None,
    )


def kv_store(emulator: Emulator, clock: TickingClock | None = None, **more: Any) -> KvStore:  # noqa: ANN401
    """The KV Store `STORE`, made if there is none."""
    if STORE not in emulator.kv_stores():
        emulator.create_kv_store(STORE)
    return KvStore(api_of(emulator), STORE, patience(clock), **more)


def config_store(emulator: Emulator, clock: TickingClock | None = None) -> ConfigStore:
    """The Config Store `STORE`, made if there is none."""
    if STORE not in emulator.config_stores():
        emulator.create_config_store(STORE)
    return ConfigStore(api_of(emulator), STORE, patience(clock))


def publisher(
    store: Store,
    clock: TickingClock | None = None,
    progress: Callable[[str, int, int], object] | None = None,
    versions: Store | None = None,
    **options: Any,  # noqa: ANN401 - as PublishOptions takes them
) -> Publisher:
    """A publisher to `KEY`."""
    clock = TickingClock() if clock is None else clock
    return Publisher(
        store,
        KEY,
        PublishOptions(**options),
        versions=versions,
        patience=patience(clock),
        clock=clock,
        progress=progress,
    )


def padded(size: int, time: int = TIME, number: int = 1) -> bytes:
    """The small project, made as large as this by a config that says much, nothing of it twice."""
    data = project(time, number)
    spec = json.loads(json.dumps(data["dynamic_configs"][1]))
    spec["name"] = "much"
    text = "".join(f"{at * 7919 % 1_000_003:06d} " for at in range(max(size - 7000, 0) // 7))
    spec["defaultValue"] = {"text": text, "number": number}
    data["dynamic_configs"].append(spec)
    return json.dumps(data).encode()
