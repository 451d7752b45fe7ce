"""What came of looking for something newer: once, and so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from statsig_fastly.errors import StatsigFastlyError

__all__ = ["Outcome", "SyncDetails", "SyncStats"]

Outcome = Literal["applied", "unchanged", "older", "no_updates", "refused", "failed", "left_to_another"]
"""What a look came to; see `SyncDetails.outcome`."""


@dataclass(frozen=True, slots=True)
class SyncDetails:
    """What came of one look at the adapter.

    Attributes:
        outcome: `applied`: a newer ruleset is now in use. `unchanged`: the store has the payload in use.
            `older`: it has one that is older, which is not used. `no_updates`: it has one that says of itself
            that it is none (`has_updates: false`). `refused`: its payload cannot be used, `error` says why.
            `failed`: none could be had, `error` says why. `left_to_another`: another process of this host
            looks, or just did (`StatsigOptions.shared_polling`).
        config_time: When the project in use was last changed, in ms since the epoch; None if nothing
            is loaded.
        error: Why the payload could not be had or used; None if all went well. The ruleset in use
            stays.
    """

    outcome: Outcome
    config_time: int | None
    error: StatsigFastlyError | None = None

    @property
    def changed(self) -> bool:
        """True if a newer ruleset is now in use."""
        return self.outcome == "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStats:
    """What is in use, how old it is, and how looking for something newer went so far, in this process.

    Attributes:
        source: Where the ruleset in use came from, as in evaluation reasons, such as `Adapter(FastlyKV)`,
            `LastKnownGood` or `Bootstrap`; `NoValues` if there is none.
        config_time: When the project in use was last changed, in ms since the epoch; None if nothing is
            loaded.
        config_age: Seconds since then; None if nothing is loaded. A project that nobody changes grows old.
        version: What the store calls the payload in use (Fastly KV: its `Generation`); None if unknown.
        unconfirmed: For how many seconds no look has succeeded; None if none ever has. This is what
            `StatsigOptions.stale_after` is compared with.
        is_stale: True if that is over `stale_after`.
        last_success_at: When a look succeeded last, in seconds since the epoch, or None.
        last_error: Why the last look that did not succeed did not; None if all did.
        last_error_at: When that was, in seconds since the epoch, or None.
        failing: How many looks in a row did not succeed.
        looks: Looks at the adapter. `applied`, `unchanged`, `older`, `no_updates`, `refused` and `failed` add
            up to them; see `SyncDetails.outcome`.
        applied: Those that brought a newer ruleset.
        unchanged: Those that found the payload in use.
        older: Those that found an older one.
        no_updates: Those that found one that says it is none.
        refused: Those that found one that cannot be used.
        failed: Those that found none.
        left_to_another: Looks that were not made because another process of this host made them.
        taken_from_another: Newer rulesets that came from another process of this host.
    """

    source: str
    config_time: int | None
    config_age: float | None
    version: str | None
    unconfirmed: float | None
    is_stale: bool
    last_success_at: float | None
    last_error: str | None
    last_error_at: float | None
    failing: int
    looks: int
    applied: int
    unchanged: int
    older: int
    no_updates: int
    refused: int
    failed: int
    left_to_another: int
    taken_from_another: int
