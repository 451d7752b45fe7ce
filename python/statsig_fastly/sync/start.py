"""The start: the first place that has a payload, in a fixed order.

In: the adapter, and what there is for the case that it does not answer. Out: what is in use then, and why
each place before had nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly.completion import Completion
from statsig_fastly.details import FailureDetails
from statsig_fastly.errors import AdapterError, PayloadError, StatsigFastlyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.sync.account import Account
    from statsig_fastly.sync.in_use import PayloadInUse
    from statsig_fastly.sync.last_known_good import LastKnownGood
    from statsig_fastly.sync.look import Looks
    from statsig_fastly.sync.stats import SyncDetails

__all__ = ["Start"]


class Start:
    """Loads a payload: the adapter's, else the last known good one, else the bootstrap one, else Statsig's.

    Args:
        in_use: Where the payload goes.
        timeout: Seconds the adapter has, and after it Statsig's CDN.
        looker: What looks at the adapter; None if there is none.
        name: The adapter's.
        account: Told of what comes too late.
        kept: The last known good payload; None if none is kept.
        bootstrap: A payload that came with the program, or None.
        fallback: Makes an adapter for Statsig's CDN; None if that is not to be asked.
    """

    def __init__(
        self,
        in_use: PayloadInUse,
        timeout: float,
        *,
        looker: Looks | None,
        name: str,
        account: Account,
        kept: LastKnownGood | None,
        bootstrap: bytes | None,
        fallback: Callable[[], SpecAdapter] | None,
    ) -> None:
        self._in_use = in_use
        self._timeout = timeout
        self._looker = looker
        self._name = name
        self._account = account
        self._kept = kept
        self._bootstrap = bootstrap
        self._fallback = fallback

    def run(self) -> tuple[SyncDetails | None, tuple[FailureDetails, ...]]:
        """Tries one place after the other until something is in use.

        Returns:
            What looking at the adapter came to, None if that is not over or there is no adapter; and why each
            place that was tried had nothing.
        """
        looked: SyncDetails | None = None
        failures: list[FailureDetails] = []
        if self._looker is not None:
            looked, failure = self._from_adapter(self._looker)
            failures += [failure] if failure is not None else []
        for source, place in (
            ("LastKnownGood", None if self._kept is None else self._from_kept),
            ("Bootstrap", None if self._bootstrap is None else self.from_bootstrap),
            ("Network", None if self._fallback is None else self._from_network),
        ):
            if self._in_use.is_there:
                break
            if place is None:
                continue
            try:
                place()
            except StatsigFastlyError as error:
                failures.append(FailureDetails(str(error), type(error).__name__, source))
        if not failures and not self._in_use.is_there:
            nothing = "there is nothing to load: set StatsigOptions.data_adapter or bootstrap"
            failures.append(FailureDetails(nothing))
        return looked, tuple(failures)

    def _from_adapter(self, looker: Looks) -> tuple[SyncDetails | None, FailureDetails | None]:
        look = Completion.run(
            lambda: looker.look_if_due(report=False, patience=self._timeout), name="statsig-fastly-sync"
        )
        if not look.wait(self._timeout):
            look.add_done_callback(self._late)
            reason = (
                f"{self._name} did not answer within {self._timeout * 1000:.0f} ms; it is still being asked"
            )
            return None, FailureDetails(reason, source=self._name)
        details = look.result()
        error = details.error
        if error is not None:
            return details, FailureDetails(str(error), type(error).__name__, self._name)
        if not self._in_use.is_there:
            return details, FailureDetails(
                f"another process of this host is asking {self._name}, and has no answer yet",
                None,
                self._name,
            )
        return details, None

    def _late(self, look: Completion[SyncDetails]) -> None:
        self._account.report(look.result())

    def _from_kept(self) -> None:
        kept = None if self._kept is None else self._kept.load()
        if kept is None:
            raise AdapterError("no last known good payload has been kept yet")
        payload = kept.payload
        self._in_use.put(
            payload.body, source="LastKnownGood", origin="last known good", version=payload.version
        )

    def from_bootstrap(self) -> None:
        """Uses the bootstrap payload.

        Raises:
            PayloadError: It cannot be used.
        """
        self._in_use.put(self._bootstrap or b"", source="Bootstrap", origin="bootstrap")

    def _from_network(self) -> None:
        if self._fallback is None:
            return
        adapter = self._fallback()
        try:
            payload = adapter.fetch()
        finally:
            adapter.close()
        if payload is None:
            raise PayloadError("Statsig's CDN says that there is nothing new, and there is nothing in use")
        self._in_use.put(payload.body, source=payload.source or "Network", origin="Statsig's CDN")
