"""What one attempt to publish came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly.publish.flips import Flips
    from statsig_fastly.publish.id_lists import IdListReport
    from statsig_fastly.publish.validation import Warned

__all__ = ["Outcome", "PublishReport"]

Outcome: TypeAlias = Literal["published", "unchanged", "would publish", "superseded"]


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What one attempt to publish came to.

    Attributes:
        outcome: `published`; `unchanged` if it was there already; `would publish` in a dry run;
            `superseded` if a newer payload was there by the time it was verified.
        place: The store and the key, in words.
        time: When the project was changed, in ms since the epoch.
        previous_time: The same for what was there before; None for nothing.
        digest: SHA-256 of the JSON text, in hex.
        size: Bytes of the JSON text.
        stored_size: Bytes of what lies in the store, chunks included.
        encoding: The form it has there.
        chunks: How many chunks it is in; 0 for one value.
        chunks_written: How many of them were not there.
        counts: How many specs there are, by entity.
        warnings: What somebody should look at.
        version: Id of the version that is kept; None if none is.
        flips: How many users get another answer, if that was counted.
        attempts: How often it was tried, because somebody else was writing.
        seconds: How long each step took.
        id_lists: What became of ID lists; None if they were not to be published.
    """

    outcome: Outcome
    place: str
    time: int
    previous_time: int | None
    digest: str
    size: int
    stored_size: int
    encoding: str
    chunks: int
    chunks_written: int
    counts: Mapping[str, int]
    warnings: tuple[Warned, ...] = ()
    version: str | None = None
    flips: Flips | None = None
    attempts: int = 1
    seconds: Mapping[str, float] = field(default_factory=dict)
    id_lists: IdListReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        import dataclasses

        found = dataclasses.asdict(self)
        found["warnings"] = [str(warning) for warning in self.warnings]
        found["seconds"] = {step: round(taken, 4) for step, taken in self.seconds.items()}
        return found
