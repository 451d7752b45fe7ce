"""How to publish: what may be left out, how it is stored, and which guards it has to pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.publish.encoding import Compression
    from statsig_fastly.publish.form import Chunking

__all__ = ["PublishOptions"]


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How to publish.

    Attributes:
        target_app: Leave out what this app has no use for; None leaves out nothing.
        compression: `plain` is what every Statsig SDK can read.
        chunking: `auto` makes chunks of what is too large otherwise.
        keep: How many published versions are kept; 0 keeps none.
        force: Publish also what is older than what is there, or was rolled back.
        max_flips: Share of users, 0 to 1, that may get another answer from any one gate, config, experiment
            or layer; None for no limit.
        users: Whom to count that for; None makes up users.
        sample: How many are made up.
        seed: Another one makes up other users.
        dry_run: Do all but write.
    """

    target_app: str | None = None
    compression: Compression = "plain"
    chunking: Chunking = "auto"
    keep: int = 5
    force: bool = False
    max_flips: float | None = None
    users: Sequence[StatsigUser] | None = None
    sample: int = 10_000
    seed: int = 2024
    dry_run: bool = False
