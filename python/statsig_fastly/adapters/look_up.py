"""Something that is looked up once, however many threads need it.

In: a function that finds it. Out: what it found, or the error that every thread gets that waited for it.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LookUp"]


class LookUp:
    """Finds a text once, and again if it turns out to be stale. Safe to use from threads and across a fork.

    Args:
        find: Finds it, or raises `AdapterError`.
        known: What it is taken to be to begin with; None if that has to be found.
    """

    __slots__ = ("_attempts", "_failure", "_find", "_found", "_lock", "_process")

    def __init__(self, find: Callable[[], str], known: str | None = None) -> None:
        self._find = find
        self._found = known
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._attempts = 0
        self._failure: AdapterError | None = None

    def value(self, stale: str | None = None) -> str:
        """What was found.

        Args:
            stale: What it is not (any more).

        Raises:
            AdapterError: It could not be found.
        """
        if self._found is not None and self._found != stale:
            return self._found
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock
            self._lock, self._process = threading.Lock(), os.getpid()
        attempts = self._attempts
        with self._lock:
            if self._found is not None and self._found != stale:
                return self._found
            if self._attempts != attempts and self._failure is not None:
                # Another thread failed while this one waited: its answer will do, or twenty threads
                # would wait for twenty timeouts, one after the other.
                raise _copy(self._failure)
            self._attempts += 1
            try:
                self._found = self._find()
            except AdapterError as failure:
                self._failure = _copy(failure)
                raise
            self._failure = None
            return self._found


def _copy(error: AdapterError) -> AdapterError:
    """The same error without its traceback, which would keep what the frames hold."""
    return AdapterError(
        str(error), status=error.status, retryable=error.retryable, retry_after=error.retry_after
    )
