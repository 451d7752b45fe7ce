"""The payload in use: another one takes its place only if it is better."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from statsig_fastly.errors import PayloadError
from statsig_fastly.fork_lock import ForkLock

if TYPE_CHECKING:
    from statsig_fastly._native import Evaluator
    from statsig_fastly.sync.stats import Outcome

__all__ = ["NOTHING", "PayloadInUse"]

_log = logging.getLogger("statsig_fastly")

NOTHING = "NoValues"
"""The source while nothing is loaded."""

# A payload with very many broken specs must not flood the log.
_ISSUES_LOGGED = 10


class PayloadInUse:
    """Puts payloads into an evaluator.

    A payload takes the place of the one in use if it is whole, can be compiled, is not older by its `time`,
    and has another checksum or none. One with the same bytes is not even compiled.

    Args:
        evaluator: Where the ruleset goes.

    Attributes:
        source: Where it came from, as in evaluation reasons.
        digest: SHA-256 of its bytes; None if nothing is loaded.
        version: What the store calls it, or None.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._lock = ForkLock()
        self.source = NOTHING
        self.digest: bytes | None = None
        self.version: str | None = None

    @property
    def is_there(self) -> bool:
        """True if something is loaded."""
        return self._evaluator.is_ready

    @property
    def config_time(self) -> int | None:
        """When the project was last changed, in ms since the epoch; None if nothing is loaded."""
        return self._evaluator.config_time

    def put(self, body: bytes, *, source: str, origin: str, version: str | None = None) -> Outcome:
        """Uses a payload, if it is better than the one in use.

        Args:
            body: The payload.
            source: What to call it in evaluation reasons.
            origin: What to call it in messages.
            version: What the store calls it.

        Returns:
            `applied`, `unchanged`, `older` or `no_updates`.

        Raises:
            PayloadError: It cannot be used; the message begins with `origin`.
        """
        from hashlib import sha256

        digest = sha256(body).digest()
        with self._lock:
            if digest == self.digest:
                self.version = version
                return "unchanged"
            try:
                outcome = self._evaluator._load(body, source)  # noqa: SLF001 - the package's own
            except PayloadError as error:
                raise PayloadError(f"{origin}: {error}") from None
            if outcome == "no updates":
                if not self.is_there:
                    expected = "expected a whole project, got an empty update"
                    raise PayloadError(f"{origin}: payload field `has_updates` is false: {expected}")
                return "no_updates"
            if outcome != "older":
                # The same by checksum counts as the same, whatever its bytes.
                self.digest, self.version = digest, version
            if outcome == "applied":
                self.source = source
                self._log_issues()
            return outcome

    def _log_issues(self) -> None:
        issues = self._evaluator._issues()  # noqa: SLF001 - the package's own
        for kind, name, message in issues[:_ISSUES_LOGGED]:
            _log.warning("%s %r: %s", kind, name, message)
        if len(issues) > _ISSUES_LOGGED:
            _log.warning("the payload has %d more faults", len(issues) - _ISSUES_LOGGED)
