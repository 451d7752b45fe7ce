"""What this process knows of the files in a spool: whose events are in them, and what became of those.

In: files that came and went. Out: counts, all as of one moment.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Accounts", "Lost", "SpoolCounts"]

Fate = Literal["handed over", "taken", "lost for space", "unreadable"]


class Lost(NamedTuple):
    """Events that files held which are gone without having been sent.

    Attributes:
        own: Recorded by this process.
        others: Recorded by other processes.
    """

    own: int = 0
    others: int = 0

    def plus(self, count: int, *, own: bool) -> Lost:
        """With so many more."""
        return Lost(self.own + count, self.others) if own else Lost(self.own, self.others + count)


class SpoolCounts(NamedTuple):
    """How many events there are, by what became of them.

    Attributes:
        own_events: Events of this process that wait in files, as of the last look at the directory.
        taken_by_others: Events of this process whose files are gone: another process has them.
        dropped_for_space: Lost because space was short.
        dropped_unreadable: Lost because their file was damaged.
    """

    own_events: int = 0
    taken_by_others: int = 0
    dropped_for_space: Lost = Lost()
    dropped_unreadable: Lost = Lost()


class Accounts:
    """Files by name. Each change is one step: no event is counted twice, or not at all, in between.

    Attributes:
        lock: Held while something changes.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._own: dict[str, int] = {}
        self._tries: dict[str, tuple[int, int]] = {}
        self._taken_by_others = 0
        self._for_space = self._unreadable = Lost()

    @property
    def counts(self) -> SpoolCounts:
        """What became of the events."""
        with self.lock:
            own = sum(self._own.values())
            return SpoolCounts(own, self._taken_by_others, self._for_space, self._unreadable)

    def has_come(self, name: str, count: int, tries: tuple[int, int], *, own: bool) -> None:
        """A file was written.

        Args:
            name: Its name.
            count: Events in it.
            tries: How often it was tried, and how often of these as a whole.
            own: True if this process recorded its events.
        """
        with self.lock:
            if own:
                self._own[name] = count
            self._tries[name] = tries

    def has_gone(self, name: str, count: int, fate: Fate) -> bool:
        """A file was removed. True if this process had recorded its events.

        Args:
            name: Its name.
            count: Events in it.
            fate: `handed over` if the caller accounts for them; `taken` if another process has sent them.
        """
        with self.lock:
            self._tries.pop(name, None)
            own = self._own.pop(name, None) is not None
            if fate == "lost for space":
                self._for_space = self._for_space.plus(count, own=own)
            elif fate == "unreadable":
                self._unreadable = self._unreadable.plus(count, own=own)
            elif fate == "taken" and own:
                self._taken_by_others += count
            return own

    def names(self) -> set[str]:
        """Files that are known, whether they still exist or not."""
        with self.lock:
            return {*self._own, *self._tries}

    def were_taken(self, names: Collection[str]) -> None:
        """Files that are gone without this process' doing."""
        with self.lock:
            for name in names:
                self._taken_by_others += self._own.pop(name, 0)
                self._tries.pop(name, None)

    def owns(self, name: str) -> bool:
        """True if this process recorded the events of a file and is to account for them."""
        with self.lock:
            return name in self._own

    def tries(self, name: str) -> tuple[int, int]:
        """How often this process tried a file, and how often of these as a whole."""
        with self.lock:
            return self._tries.get(name, (0, 0))

    def tried(self, name: str, tries: tuple[int, int]) -> None:
        """Remembers the same."""
        with self.lock:
            self._tries[name] = tries
