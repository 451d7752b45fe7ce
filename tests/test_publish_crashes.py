"""A publisher that is killed at any step: who reads gets the old payload or the new one, and all goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from publishers import KEY, STORE, TickingClock, config_store, kv_store, padded, publisher
from small_project import TIME
from statsig_fastly import FastlyDataAdapter
from statsig_fastly.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statsig_fastly.publish.store import Store

OLD: Final = padded(60_000, TIME, 1)
NEW: Final = padded(60_000, TIME + 1, 2)
CHANGES: Final = ("write", "write_many", "delete")


class Killed(BaseException):
    """What ends the publisher; no `except Exception` stands in its way."""


class Killing:
    """A store that ends the publisher at one of the changes made to it, before it is made or after.

    Attributes:
        changes: How many were asked for so far.
    """

    def __init__(self, store: Store, at: int, *, after: bool) -> None:
        self._store, self._at, self._after = store, at, after
        self.changes = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        found = getattr(self._store, name)
        return self._dying(found) if name in CHANGES else found

    def _dying(self, change: Callable[..., object]) -> Callable[..., object]:
        def changing(*arguments: object, **more: object) -> object:
            self.changes += 1
            if self.changes == self._at and not self._after:
                raise Killed
            result = change(*arguments, **more)
            if self.changes == self._at:
                raise Killed
            return result

        return changing


def stores(kind: str, emulator: Emulator) -> Store:
    if kind == "kv":
        return kv_store(emulator, largest=8_000)  # so that it is made of chunks
    return config_store(emulator)


def read(kind: str, emulator: Emulator) -> bytes:
    adapter = FastlyDataAdapter(
        STORE,
        KEY,
        store_type="kv" if kind == "kv" else "config",
        token=emulator.token,
        api=emulator.url,
    )
    payload = adapter.fetch()
    adapter.close()
    assert payload is not None
    return payload.body


def runs(kind: str, *, after: bool) -> Iterator[tuple[int, bool]]:
    """Kills publishers at the first change, the second and so on, until one is through."""
    for at in range(1, 200):
        with Emulator() as emulator:
            clock = TickingClock()
            publisher(stores(kind, emulator), clock, keep=2).publish(OLD)
            assert read(kind, emulator) == OLD
            dying = Killing(stores(kind, emulator), at, after=after)
            through = True
            try:
                publisher(dying, clock, keep=2).publish(NEW)
            except Killed:
                through = False
            assert read(kind, emulator) in (OLD, NEW)
            if through:
                assert read(kind, emulator) == NEW
            clock.wait(3600)  # nothing is too new to be tidied away
            publisher(stores(kind, emulator), clock, keep=2).publish(padded(60_000, TIME + 2, 3))
            assert read(kind, emulator) == padded(60_000, TIME + 2, 3)
            yield at, through
            if through:
                return


@pytest.mark.parametrize("kind", ["kv", "config"])
@pytest.mark.parametrize("after", [False, True])
def test_a_publisher_killed_at_any_step_leaves_a_whole_payload(kind: str, after: bool) -> None:
    killed = [at for at, through in runs(kind, after=after) if not through]
    # A version, chunks, the manifest: none of them was left out of the trial.
    assert killed == list(range(1, len(killed) + 1))
    assert len(killed) >= 3
