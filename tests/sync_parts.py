"""What keeps a client up to date, with clocks that a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api_client import StandingClock
from statsig_fastly import SyncPolicy
from statsig_fastly._native import Evaluator
from statsig_fastly.sync.account import Account
from statsig_fastly.sync.in_use import PayloadInUse
from statsig_fastly.sync.last_known_good import LastKnownGood
from statsig_fastly.sync.look import Looker, Looks
from statsig_fastly.sync.schedule import Schedule, pause_of
from statsig_fastly.sync.shared import SharedPolling
from statsig_fastly.sync.turns import SharedLooker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statsig_fastly.adapters import SpecAdapter

__all__ = ["Parts", "parts_of"]


@dataclass
class Parts:
    """Attributes are the parts, and the clocks: `clock` only moves forward, `wall` is the time of day."""

    evaluator: Evaluator
    in_use: PayloadInUse
    account: Account
    looker: Looks
    schedule: Schedule
    kept: LastKnownGood | None
    clock: StandingClock
    wall: StandingClock

    def pass_by(self, seconds: float) -> None:
        """Lets time go by on both clocks."""
        self.clock.now += seconds
        self.wall.now += seconds


def parts_of(
    adapter: SpecAdapter,
    policy: SyncPolicy | None = None,
    *,
    directory: Path | None = None,
    shared: bool = False,
    chance: Callable[[], float] = lambda: 0.5,
    wall: StandingClock | None = None,
    **told: Any,  # noqa: ANN401 - as Account takes them
) -> Parts:
    """The parts, of which nothing runs yet.

    Args:
        adapter: What is looked at.
        policy: When; every 10 s in the background if None.
        directory: Where the last known good payload is kept; None keeps none.
        shared: True shares looks with whoever has the same directory.
        chance: Numbers from 0 to 1.
        wall: A time of day that several have; None for one of its own.
        told: `stale_after`, `on_update`, `on_stale`.
    """
    policy = SyncPolicy.background() if policy is None else policy
    clock, wall = StandingClock(1000.0), StandingClock() if wall is None else wall
    evaluator = Evaluator()
    in_use = PayloadInUse(evaluator)
    account = Account(adapter.name, in_use, clock=clock, wall=wall, **told)
    pause = pause_of(policy, chance)
    kept = None if directory is None else LastKnownGood(directory, "test", wall=wall)
    alone = Looker(adapter, in_use, account, kept=kept)
    looker: Looks = alone
    if shared and directory is not None and kept is not None:
        polling = SharedPolling(directory, "test")
        looker = SharedLooker(alone, polling, kept, in_use, account, pause=pause, clock=clock, wall=wall)
    schedule = Schedule(policy, looker, account, evaluator, pause=pause, clock=clock, chance=chance)
    return Parts(evaluator, in_use, account, looker, schedule, kept, clock, wall)
