"""Why something was not published, where nothing is wrong but that it should not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from statsig_fastly.errors import StatsigFastlyError

if TYPE_CHECKING:
    from statsig_fastly.publish.flips import Flips

__all__ = ["PublishRefusedError", "Why"]

Why: TypeAlias = Literal["older", "held", "flips", "too large"]


class PublishRefusedError(StatsigFastlyError):
    """A guard kept a payload from being published. What was there is there still.

    Attributes:
        why: `older`: what is there is newer. `held`: it was rolled back. `flips`: too many users would get
            another answer. `too large`: the store cannot hold it.
        flips: What was counted, for `flips`.
    """

    def __init__(self, message: str, why: Why, flips: Flips | None = None) -> None:
        super().__init__(message)
        self.why: Why = why
        self.flips = flips
