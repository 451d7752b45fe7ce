"""When to look: what a `SyncPolicy` comes to in a process with threads, requests and forks.

In: checks that notice that it is time, requests that begin and end, a thread that waits. Out: looks, one at a
time.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from statsig_fastly import lifecycle
from statsig_fastly.backoff import Chance, pause_after
from statsig_fastly.clocks import steady
from statsig_fastly.completion import Completion
from statsig_fastly.step_thread import StepThread
from statsig_fastly.threads import CAN_START_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly._native import Evaluator
    from statsig_fastly.sync.account import Account
    from statsig_fastly.sync.id_lists import IdLists
    from statsig_fastly.sync.look import Looks
    from statsig_fastly.sync.policy import SyncPolicy
    from statsig_fastly.sync.stats import SyncDetails

__all__ = ["Schedule", "pause_of"]

# How often a process looks, within an interval, at what the one that asks the store has found.
_SHARED_LOOKS = 5


def pause_of(policy: SyncPolicy, chance: Callable[[], float]) -> Callable[[int, float | None], float]:
    """How long to wait after a look.

    The function takes how many looks in a row did not succeed, and for how many seconds the store asked to be
    left alone, and returns seconds. After failures these are fewer than after a success, and never more
    unless the store asks for it: so a store that is back is noticed within an interval.

    Args:
        policy: When to look.
        chance: Numbers from 0 to 1.
    """

    def pause(failures: int, asked_for: float | None) -> float:
        if failures:
            seconds = pause_after(failures, policy.seconds, chance)
        else:
            seconds = policy.seconds * (1 - policy.jitter * chance())
        return max(seconds, asked_for or 0.0)

    return pause


class Schedule:
    """Has an adapter looked at when a policy says so.

    Args:
        policy: When to look.
        looker: What looks; None if there is nothing to look at. Without ID lists, too, the policy counts as
            `manual` then.
        account: What knows when the ruleset becomes stale.
        evaluator: Whose checks notice that it is time, `on_request` and after a fork.
        pause: As `pause_of` makes it.
        id_lists: What is kept up to date with the looks; None if there is nothing.
        clock: Seconds of a clock that only moves forward.
        chance: Numbers from 0 to 1; None for a generator of its own.
    """

    def __init__(
        self,
        policy: SyncPolicy,
        looker: Looks | None,
        account: Account,
        evaluator: Evaluator,
        *,
        pause: Callable[[int, float | None], float],
        id_lists: IdLists | None = None,
        clock: Callable[[], float] = steady,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._kind = "manual" if looker is None and id_lists is None else policy.kind
        if self._kind == "background" and not CAN_START_THREADS:
            self._kind = "on_request"
        self._policy = policy
        self._looker = looker
        self._account = account
        self._evaluator = evaluator
        self._pause = pause
        self._id_lists = id_lists
        self._clock = clock
        self._chance = Chance(chance)
        self._runs = self._ended = False
        self._start_over()
        evaluator._on_look_due(self._noticed)  # noqa: SLF001 - the package's own
        lifecycle.register_background(self)

    def _start_over(self) -> None:
        self._process = os.getpid()
        self._inherited = False
        self._thread = StepThread("statsig-fastly-polling", self.step, keeps=False)
        self._looking = threading.Lock()
        self._due_at: float | None = None  # of the background thread
        self._requests = 0
        self._requests_lock = threading.RLock()  # a signal handler may make a check at any time
        self._put_off = False

    def start(self, last: SyncDetails | None) -> None:
        """Begins, after the look that a start makes.

        Args:
            last: What that came to; None if it is not over.
        """
        if self._ended:
            return  # shut down while it was starting
        self._runs = True
        if self._kind == "background":
            self._due_at = self._clock() + self._pause_after(last)
            self._thread.signal()
        elif self._kind == "on_request":
            self._watch(self._pause_after(last))

    def stop(self) -> None:
        """Ends: no look begins after this. One that is under way goes on to its end."""
        self._runs, self._ended = False, True
        self._evaluator._look_after(None)  # noqa: SLF001 - the package's own
        self._thread.stop()

    def forked(self) -> None:
        """In a forked child: the first check begins anew. The thread is the parent's."""
        self._inherited = True
        if self._looker is not None:
            self._looker.forked()
        if self._runs and self._kind != "manual":
            self._evaluator._look_after(0)  # noqa: SLF001 - the package's own

    def _own_process(self) -> None:
        """In a forked child, once: locks and a thread of its own."""
        if self._inherited or self._process != os.getpid():
            self._start_over()

    # Background

    def step(self) -> float | None:
        """Looks if it is time to. Returns seconds until there is something to do again, None: nothing."""
        if not self._runs or self._due_at is None:
            return None
        now = self._clock()
        if now >= self._due_at:
            details = self._look()
            now = self._clock()
            self._due_at = now + self._pause_after(details)
        else:
            self._account.check_stale()
        until_stale = self._account.seconds_until_stale()
        until_due = max(0.0, self._due_at - now)
        return until_due if until_stale is None else min(until_due, until_stale)

    def _pause_after(self, last: SyncDetails | None) -> float:
        if self._looker is not None and self._looker.is_shared and self._kind == "background":
            # Whether the store is to be asked, processes agree on; here it is only how often to look at that.
            return self._policy.seconds * (1 - self._policy.jitter * self._chance()) / _SHARED_LOOKS
        asked_for: float | None = None if last is None else getattr(last.error, "retry_after", None)
        return self._pause(self._account.failing, asked_for)

    # On request

    def _noticed(self) -> None:
        """Told by a check that it is time: never waits.

        A signal handler may end it anywhere with an exception; then a check a second later tells again. So
        nothing is to be told any more only when everything is done.
        """
        self._own_process()
        if self._runs and self._kind == "on_request":
            self._put_off_or_look()
            return
        if self._runs and self._kind == "background":
            if self._due_at is None:
                # Processes that are forked together must not ask together.
                self._due_at = self._clock() + self._policy.seconds * self._chance()
            self._thread.signal()
        self._evaluator._look_after(None)  # noqa: SLF001 - the package's own

    def _put_off_or_look(self) -> None:
        with self._requests_lock:
            waits = self._requests > 0 and not self._put_off
            self._put_off = waits
        if waits:
            # Should no request end in time, the next check does not wait for that.
            self._watch(self._policy.seconds)
        else:
            self.look_in_thread()

    def request_began(self) -> None:
        """A request is being answered: a look that becomes due waits for its end."""
        if self._kind == "on_request":
            self._own_process()
            with self._requests_lock:
                self._requests += 1

    def request_ended(self) -> Completion[SyncDetails | None] | None:
        """A request was answered. Returns the look that waited for that, if one did."""
        if self._kind != "on_request":
            return None
        self._own_process()
        with self._requests_lock:
            self._requests = max(0, self._requests - 1)
            put_off, self._put_off = self._put_off, False
        return self.look_in_thread() if put_off and self._runs else None

    def look_in_thread(self) -> Completion[SyncDetails | None] | None:
        """Looks in a thread of its own; None if a look is under way already, or no thread can be started."""
        if self._looking.locked():
            return None
        try:
            return Completion.run(self._look_once, name="statsig-fastly-sync")
        except RuntimeError:
            return None

    def _look_once(self) -> SyncDetails | None:
        """Looks, if nobody does, and has it noticed when it is time again."""
        looking = self._looking
        # Taken here, by the thread that gives it back: whoever starts it may be interrupted at any time.
        if not looking.acquire(blocking=False):
            return None
        details: SyncDetails | None = None
        try:
            details = self._look()
            return details
        finally:
            looking.release()
            if self._runs and not self._inherited:
                self._watch(self._pause_after(details))

    def _look(self) -> SyncDetails | None:
        details = None if self._looker is None else self._looker.look_if_due()
        if self._id_lists is not None:
            self._id_lists.round_if_due()
        return details

    def _watch(self, seconds: float) -> None:
        self._evaluator._look_after(int(seconds * 1000))  # noqa: SLF001 - the package's own
