"""One look at the adapter: what it has, and what becomes of it.

In: an adapter, and what is in use. Out: `SyncDetails` for every look. Nothing here decides when to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from statsig_fastly.adapters import Payload
from statsig_fastly.errors import AdapterError, PayloadError, described
from statsig_fastly.sync.stats import SyncDetails

if TYPE_CHECKING:
    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.errors import StatsigFastlyError
    from statsig_fastly.sync.account import Account
    from statsig_fastly.sync.in_use import PayloadInUse
    from statsig_fastly.sync.last_known_good import LastKnownGood
    from statsig_fastly.sync.stats import Outcome

__all__ = ["Looker", "Looks"]

# A value that was refused twice, byte for byte, is what the store holds, and is not always downloaded. But it
# is in the 4th, the 8th, the 16th and so on, and in every so many: it may have been damaged on the way.
_REFUSALS_BELIEVED = 2
_LOOKS_BELIEVED = 64


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


class Looks(Protocol):
    """What a `Schedule` has made: by this process, or by whichever process of the host has the turn."""

    @property
    def is_shared(self) -> bool:
        """True if processes of the host share looks."""

    def look(self, *, report: bool = True) -> SyncDetails:
        """Asks the adapter, and has what it has used.

        Args:
            report: False logs no failure: whoever asked for the look does.
        """

    def look_if_due(self, *, report: bool = True, patience: float = 0.0) -> SyncDetails:
        """As `look`, unless another process of this host looks or just did: then what it found is used.

        Args:
            report: As for `look`.
            patience: For how many seconds to wait for a process that looks at this moment.
        """

    def forked(self) -> None:
        """In a forked child: forgets what is the parent's."""

    def close(self) -> None:
        """Lets files go."""


class Looker:
    """Looks whether an adapter has something newer, and has it used.

    Args:
        adapter: What to look at.
        in_use: Where payloads go.
        account: Told what every look came to.
        kept: Where a payload that is used is kept; None keeps none.
    """

    is_shared = False

    def __init__(
        self,
        adapter: SpecAdapter,
        in_use: PayloadInUse,
        account: Account,
        *,
        kept: LastKnownGood | None = None,
    ) -> None:
        self._adapter = adapter
        self._in_use = in_use
        self._account = account
        self._kept = kept
        self._not_kept: tuple[Payload, str] | None = None
        self._refused: _Refused | None = None

    def look(self, *, report: bool = True) -> SyncDetails:
        """As `Looks` says."""
        details = self.ask()
        self._account.note(details, report=report)
        return details

    def look_if_due(self, *, report: bool = True, patience: float = 0.0) -> SyncDetails:  # noqa: ARG002 - alone
        """As `Looks` says; a process that is alone has always the turn."""
        return self.look(report=report)

    def forked(self) -> None:
        """As `Looks` says: there is nothing."""

    def close(self) -> None:
        """As `Looks` says: there are none."""

    def take_from_another(self, payload: Payload, origin: str) -> Outcome:
        """Uses a payload that another process of the host found.

        Raises:
            PayloadError: It cannot be used.
        """
        source = payload.source or self._in_use.source
        outcome = self._in_use.put(payload.body, source=source, origin=origin, version=payload.version)
        if outcome == "applied":
            self._refused = None
        return outcome

    # Asking

    def ask(self) -> SyncDetails:
        """As `look`, without telling the account."""
        self._keep_again()
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
            outcome = self._in_use.put(
                body,
                source=source,
                origin=getattr(adapter, "identity", adapter.name),
                version=payload.version,
            )
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

        self._not_kept = None
        digest = sha256(payload.body).digest()
        if digest == self._kept.digest:
            return
        try:
            self._kept.save(payload, digest, source)
        except (OSError, ValueError) as error:
            self._not_kept = payload, source
            reason = getattr(error, "strerror", None) or str(error)
            self._account.say_once(f"the last known good payload cannot be kept: {self._kept.path}: {reason}")

    def _keep_again(self) -> None:
        """Tries again to keep what could not be kept."""
        if self._not_kept is not None:
            self._keep(*self._not_kept)
