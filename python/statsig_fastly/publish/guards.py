"""What keeps a payload that could be published from it: it is older, was rolled back, or changes too much.

In: what is there and what is to take its place. Out: nothing, or `PublishRefusedError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly.publish.flips import Flips, count_flips
from statsig_fastly.publish.refused import PublishRefusedError
from statsig_fastly.publish.specs import Specs
from statsig_fastly.publish.users import made_up_users
from statsig_fastly.publish.validation import is_usable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.publish.list_lines import IdLines
    from statsig_fastly.publish.stored import Stored

__all__ = ["guard_age", "guard_flips"]


def guard_age(stored: Stored, time: int, place: str) -> None:
    """Lets through what is not older than what is there, and was not rolled back.

    Args:
        stored: What is there.
        time: Time of what is to take its place, in ms since the epoch.
        place: Where that is, for messages.

    Raises:
        PublishRefusedError: It is older, or was rolled back.
    """
    if not stored.is_there:
        return
    if time < stored.time:
        raise PublishRefusedError(
            f"{place} has a newer payload: time {stored.time}, and this one has {time}; --force publishes it "
            "all the same",
            "older",
        )
    if time <= stored.hold:
        raise PublishRefusedError(
            f"{place} was rolled back: payloads up to time {stored.hold} are not published over it, and this "
            f"one has {time}; --force publishes it all the same",
            "held",
        )


def guard_flips(
    old: bytes,
    new: bytes,
    limit: float,
    users: Sequence[StatsigUser] | None,
    *,
    sample: int,
    seed: int,
    lists: Callable[[], tuple[IdLines, IdLines]] | None,
    progress: Callable[[int, int], object],
) -> Flips | None:
    """Lets through what changes the answers of few enough users.

    Args:
        old: The payload that is there.
        new: The one that is to take its place.
        limit: Share of users, 0 to 1, that may get another answer about any one spec.
        users: Whom to count for; None makes up users.
        sample: How many are made up.
        seed: Another one makes up others.
        lists: Reads the ID lists in use and those that take their place; None for none.
        progress: Told of how many users are done, and of how many.

    Returns:
        What was counted; None if the old payload does not compile, so that nobody gets an answer from it.

    Raises:
        PublishRefusedError: More users would get another answer.
        PayloadError: The new payload does not compile.
        AdapterError: The ID lists could not be read.
    """
    if not is_usable(old):
        return None
    if users is None:
        users = made_up_users(sample, [Specs.parse(old), Specs.parse(new)], seed)
    total = len(users)
    old_lists, new_lists = ({}, {}) if lists is None else lists()
    flips = count_flips(
        old,
        new,
        users,
        old_lists=old_lists,
        new_lists=new_lists,
        progress=lambda done: progress(done, total),
    )
    worst = flips.worst
    if worst is not None and worst.share > limit:
        raise PublishRefusedError(
            f"{worst.share:.2%} of {flips.users:,} users would get another answer for {worst.kind} "
            f"{worst.name!r}, and the limit is {limit:.2%}",
            "flips",
            flips,
        )
    return flips
