"""A lock that a forked child can take, whoever had it in the parent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from statsig_fastly import lifecycle

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ForkLock"]


class ForkLock:
    """A context manager: a reentrant lock, and a new one in every forked child.

    Reentrant, because a signal handler may need it at any time in the thread that has it.
    """

    __slots__ = ("__weakref__", "_is_new", "_lock")

    def __init__(self) -> None:
        self._is_new = False
        self._lock = threading.RLock()
        lifecycle.register_fork(self)

    def forked(self) -> None:
        """In a forked child: forgets who has it in the parent."""
        self._lock = threading.RLock()
        self._is_new = True

    def __enter__(self) -> bool:
        """Takes the lock. True if it is the first time in a forked child."""
        self._lock.acquire()
        is_new, self._is_new = self._is_new, False
        return is_new

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
