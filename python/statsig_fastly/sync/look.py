"""One look at the adapter: what it has, and what becomes of it.

In: an adapter, and what is in use. Out: `SyncDetails` for every look. Nothing here decides when to look, but
that a look is left to another process of the host where these share them.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statsig_fastly.adapters import Payload
from statsig_fastly.clocks import steady
from statsig_fastly.errors import AdapterError, PayloadError, described
from statsig_fastly.sync.stats import SyncDetails

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.errors import StatsigFastlyError
    from statsig_fastly.sync.account import Account
    from statsig_fastly.sync.in_use import PayloadInUse
    from statsig_fastly.sync.last_known_good import LastKnownGood
    from statsig_fastly.sync.shared import SharedPolling, SharedState
    from statsig_fastly.sync.stats import Outcome

__all__ = ["Looker"]

# A value that was refused twice, byte for byte, is what the store holds, and is not always downloaded. But it
# is in the 4th, the 8th, the 16th and so on, and in every so many: it may have been damaged on the way.
_REFUSALS_BELIEVED = 2
_LOOKS_BELIEVED = 64

# For how long another process is waited for that asks the store at this moment, and how long between.
_OTHER_S = 5.0
_OTHER_AGAIN_S = 0.02


@dataclass(slots=True)
class _Refused:
    """A value that was not used: which one, what it came to, why, and in how many looks in a row."""

    version: str | None
    digest: bytes
    outcome: Outcome
    error: str | None
    times: int = 1

    @property
    def is_believed(self) -> bool:
        return self.version is not None and self.times >= _REFUSALS_BELIEVED

    @property
    def is_to_be_seen_again(self) -> bool:
        """True if the next look is one of those that download it all the same."""
        looks = self.times + 1
        return looks % _LOOKS_BELIEVED == 0 or (looks & (looks - 1)) == 0


class Looker:
    """Looks whether an adapter has something newer, and has it used.

    Args:
        adapter: What to look at.
        in_use: Where payloads go.
        account: Told what every look came to.
        pause: For how many seconds after a look no process that shares it need look, given how many looks in
            a row did not succeed and for how many seconds the store asked to be left alone.
        kept: Where a payload that is used is kept; None keeps none.
        shared: What other processes of the host know; None where nothing is shared. Needs `kept`.
        clock: Seconds of a clock that only moves forward.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        adapter: SpecAdapter,
        in_use: PayloadInUse,
        account: Account,
        *,
        pause: Callable[[int, float | None], float],
        kept: LastKnownGood | None = None,
        shared: SharedPolling | None = None,
        clock: Callable[[], float] = steady,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._adapter = adapter
        self._in_use = in_use
        self._account = account
        self._pause = pause
        self._kept = kept
        self._shared = shared
        self._clock = clock
        self._wall = wall
        self._refused: _Refused | None = None

    @property
    def is_shared(self) -> bool:
        """True if processes of the host share looks."""
        return self._shared is not None

    def look(self, *, report: bool = True) -> SyncDetails:
        """Asks the adapter, and has what it has used.

        Args:
            report: False logs no failure: whoever asked for the look does.
        """
        return self._look(report, forced=True, patience=_OTHER_S)

    def look_if_due(self, *, report: bool = True, patience: float = 0.0) -> SyncDetails:
        """As `look`, unless another process of this host looks or just did: then what it found is used.

        Args:
            report: As for `look`.
            patience: For how many seconds to wait for a process that looks at this moment.
        """
        return self._look(report, forced=False, patience=patience)

    def _look(self, report: bool, *, forced: bool, patience: float) -> SyncDetails:
        if self._shared is None:
            return self._ask(report)
        try:
            return self._ask_in_turn(self._shared, report, forced=forced, patience=patience)
        except OSError as error:
            self._account.say_once(f"looks cannot be shared with other processes: {error}")
            return self._ask(report)

    # Asking

    def _ask(self, report: bool) -> SyncDetails:
        details = self._asked()
        self._account.note(details, report=report)
        return details

    def _asked(self) -> SyncDetails:
        adapter = self._adapter
        error: StatsigFastlyError | None = None
        outcome: Outcome = "failed"
        try:
            outcome = self._judge(adapter.fetch(self._held_version()))
        except PayloadError as caught:
            outcome, error = "refused", caught
        except AdapterError as caught:
            error = caught
        except BaseException as caught:  # an adapter of the user's own may raise anything  # noqa: BLE001
            error = AdapterError(f"{adapter.name} raised {described(caught)}")
        return SyncDetails(outcome, self._in_use.config_time, error)

    def _judge(self, payload: object) -> Outcome:
        adapter = self._adapter
        if payload is None:
            return self._still_there()
        if not isinstance(payload, Payload):
            found = type(payload).__name__
            raise AdapterError(f"{adapter.name}: expected a Payload or None from fetch, got {found}")
        body: object = payload.body
        if not isinstance(body, bytes):
            found = type(body).__name__
            raise AdapterError(f"{adapter.name}: expected bytes as the body of a Payload, got {found}")
        source = payload.source or f"Adapter({adapter.name})"
        try:
            outcome = self._in_use.put(body, source=source, origin=repr(adapter), version=payload.version)
        except PayloadError as error:
            self._refuse(payload, "refused", str(error))
            raise
        if outcome in {"applied", "unchanged"}:
            self._refused = None
            self._keep(payload, source)
        else:
            self._refuse(payload, outcome, None)
        return outcome

    def _still_there(self) -> Outcome:
        """What it comes to that the store has what it was said to have."""
        refused = self._refused
        if refused is not None and refused.is_believed:
            refused.times += 1
            if refused.error is not None:
                raise PayloadError(refused.error)
            return refused.outcome
        if not self._in_use.is_there:
            raise AdapterError(f"{self._adapter.name} says that nothing is new, and there is nothing in use")
        self._refused = None
        return "unchanged"

    def _held_version(self) -> str | None:
        refused = self._refused
        if refused is not None and refused.is_believed and not refused.is_to_be_seen_again:
            return refused.version
        return self._in_use.version

    def _refuse(self, payload: Payload, outcome: Outcome, error: str | None) -> None:
        from hashlib import sha256

        digest, refused = sha256(payload.body).digest(), self._refused
        if refused is not None and (refused.version, refused.digest) == (payload.version, digest):
            refused.times += 1
        else:
            self._refused = _Refused(payload.version, digest, outcome, error)

    def _keep(self, payload: Payload, source: str) -> None:
        if self._kept is None:
            return
        from hashlib import sha256

        digest = sha256(payload.body).digest()
        if digest == self._kept.digest:
            return
        try:
            self._kept.save(payload, digest, source)
        except OSError as error:
            self._account.say_once(f"the last known good payload cannot be kept: {error}")

    # Sharing

    def _ask_in_turn(
        self, shared: SharedPolling, report: bool, *, forced: bool, patience: float
    ) -> SyncDetails:
        end = self._clock() + patience
        while True:
            state = shared.state()
            taken = self._take(state)
            if not forced and not state.is_due(self._wall()):
                return self._leave(taken)
            details = None
            with shared.turn() as is_mine:
                if is_mine and (forced or shared.state() == state):
                    details = self._asked()
                    shared.write(self._state_after(details, state))
            if details is not None:
                # Callbacks of the application's own do not have the turn.
                self._account.failing = state.failures
                self._account.note(details, report=report)
                return details
            if is_mine:
                continue  # another process was quicker, and is done
            if self._clock() >= end:
                # Whoever has the turn for so long may hang: a look that was asked for is made all the same.
                return self._ask(report) if forced else self._leave(taken)
            threading.Event().wait(_OTHER_AGAIN_S)

    def _take(self, state: SharedState) -> bool:
        """Uses the payload that another process found. True if it is in use now, and was not before."""
        if state.confirmed_at > 0:
            self._account.note_confirmed(state.confirmed_at)
        if self._kept is None or not state.digest or state.digest == self._in_use.digest:
            return False
        try:
            kept = self._kept.load()
            if kept is None or kept.digest == self._in_use.digest:
                return False
            payload = kept.payload
            source = payload.source or self._in_use.source
            outcome = self._in_use.put(
                payload.body, source=source, origin=str(self._kept.path), version=payload.version
            )
        except (AdapterError, PayloadError) as error:
            self._account.say_once(str(error))
            return False
        if outcome != "applied":
            return False
        self._refused = None
        self._account.note_taken(SyncDetails("applied", self._in_use.config_time))
        return True

    def _leave(self, taken: bool) -> SyncDetails:
        self._account.note_left_to_another()
        return SyncDetails("applied" if taken else "left_to_another", self._in_use.config_time)

    def _state_after(self, details: SyncDetails, before: SharedState) -> SharedState:
        from statsig_fastly.sync.shared import SharedState

        now, succeeded = self._wall(), details.error is None
        failures = 0 if succeeded else before.failures + 1
        asked_for: float | None = getattr(details.error, "retry_after", None)
        kept = None if self._kept is None else self._kept.digest
        return SharedState(
            failures=failures,
            asked_at=now,
            due_at=now + self._pause(failures, asked_for),
            confirmed_at=now if succeeded else before.confirmed_at,
            digest=kept or before.digest,
        )
