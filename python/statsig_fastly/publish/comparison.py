"""Two payloads compared in every way there is: what changed, and how many users that concerns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from statsig_fastly.errors import PayloadError
from statsig_fastly.publish.flips import Flips, count_flips
from statsig_fastly.publish.spec_changes import Changes, changes
from statsig_fastly.publish.specs import Specs
from statsig_fastly.publish.users import made_up_users

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.publish.list_lines import IdLines

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs.

    Attributes:
        changes: What changed.
        flips: How many users get another answer.
    """

    changes: Changes
    flips: Flips

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


def compare(
    old: bytes,
    new: bytes,
    users: Sequence[StatsigUser] | None = None,
    *,
    sample: int = 10_000,
    seed: int = 2024,
    environment: str | None = None,
    old_lists: IdLines | None = None,
    new_lists: IdLines | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Comparison:
    """Compares two payloads.

    Args:
        old: The one in use.
        new: The one that is to take its place.
        users: Whom to ask for; None makes up users that the conditions of both can tell apart.
        sample: How many are made up.
        seed: Another one makes up others.
        environment: Tier to check with.
        old_lists: ID lists for the old payload, by name; None for none.
        new_lists: The same for the new one.
        progress: Told of the step and of how much is done of how much.

    Raises:
        PayloadError: One of them does not compile.
        AdapterError: An ID list is none.
    """
    before, after = _parsed("old", old), _parsed("new", new)
    if users is None:
        users = made_up_users(sample, [before, after], seed)
    total = len(users)

    def tell(done: int) -> None:
        if progress is not None:
            progress("count flips", done, total)

    flips = count_flips(
        old,
        new,
        users,
        environment=environment,
        old_lists=old_lists,
        new_lists=new_lists,
        progress=tell,
    )
    return Comparison(changes(before, after), flips)


def _parsed(which: str, body: bytes) -> Specs:
    try:
        return Specs.parse(body)
    except PayloadError as error:
        raise PayloadError(f"the {which} payload: {error}") from None
