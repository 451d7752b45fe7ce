"""What keeps one client up to date: made of its options, in one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from statsig_fastly.backoff import Chance
from statsig_fastly.sync.account import Account
from statsig_fastly.sync.in_use import PayloadInUse
from statsig_fastly.sync.look import Looker
from statsig_fastly.sync.schedule import Schedule, pause_of
from statsig_fastly.sync.start import Start

if TYPE_CHECKING:
    from statsig_fastly._native import Evaluator
    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.details import FailureDetails
    from statsig_fastly.options import StatsigOptions
    from statsig_fastly.sync.last_known_good import LastKnownGood
    from statsig_fastly.sync.shared import SharedPolling
    from statsig_fastly.sync.stats import SyncDetails, SyncStats

__all__ = ["ClientSync"]


class ClientSync:
    """The parts that keep a client up to date.

    Args:
        evaluator: Where rulesets go: the client.
        sdk_key: The client's key; no part keeps it but an adapter for Statsig's CDN.
        options: The client's.

    Attributes:
        adapter: What is looked at; None if there is nothing.
        in_use: The payload in use.
        account: What looks came to.
        looker: What looks; None without an adapter.
        schedule: When it looks.
    """

    def __init__(self, evaluator: Evaluator, sdk_key: str, options: StatsigOptions) -> None:
        self._options = options
        self.adapter = _adapter(sdk_key, options)
        name = "nothing" if self.adapter is None else self.adapter.name
        self.in_use = PayloadInUse(evaluator)
        self.account = Account(
            name,
            self.in_use,
            stale_after=options.stale_after,
            on_update=options.on_update,
            on_stale=options.on_stale,
        )
        kept, shared = _files(sdk_key, self.adapter, options)
        pause = pause_of(options.sync_policy, Chance())
        self.looker: Looker | None = None
        if self.adapter is not None:
            self.looker = Looker(
                self.adapter, self.in_use, self.account, pause=pause, kept=kept, shared=shared
            )
        self.schedule = Schedule(options.sync_policy, self.looker, self.account, evaluator, pause=pause)
        bootstrap = options.bootstrap
        self._start = Start(
            self.in_use,
            options.init_timeout_ms / 1000,
            looker=self.looker,
            name=name,
            account=self.account,
            kept=kept,
            bootstrap=bootstrap.encode() if isinstance(bootstrap, str) else bootstrap,
            fallback=(lambda: _statsig_cdn(sdk_key)) if options.fallback_to_statsig_api else None,
        )

    def start(self) -> tuple[SyncDetails | None, tuple[FailureDetails, ...]]:
        """Has something put in use: see `Start.run`."""
        return self._start.run()

    def start_baked(self) -> None:
        """Has the bootstrap payload put in use, and begins to look as the policy says."""
        if self._options.bootstrap is None:
            raise ValueError("expected StatsigOptions.bootstrap to be a payload, got None")
        self._start.from_bootstrap()
        self.begin(None)

    def begin(self, looked: SyncDetails | None) -> None:
        """Begins to look as the policy says, after the look of a start."""
        self.schedule.start(looked)

    def stats(self) -> SyncStats:
        """What is in use, and how looks went."""
        self.account.check_stale()
        return self.account.stats()


def _adapter(sdk_key: str, options: StatsigOptions) -> SpecAdapter | None:
    if options.data_adapter is not None or not options.fallback_to_statsig_api:
        return options.data_adapter
    return _statsig_cdn(sdk_key)


def _statsig_cdn(sdk_key: str) -> SpecAdapter:
    from statsig_fastly.adapters.statsig_cdn import StatsigCdnAdapter

    return StatsigCdnAdapter(sdk_key)


def _files(
    sdk_key: str, adapter: SpecAdapter | None, options: StatsigOptions
) -> tuple[LastKnownGood | None, SharedPolling | None]:
    """Where the last known good payload is, and what processes share."""
    if options.last_known_good_dir is None:
        return None, None
    from hashlib import sha256

    from statsig_fastly.sync.last_known_good import LastKnownGood

    directory = Path(options.last_known_good_dir)
    # Clients of different projects or stores must not take each other's payloads.
    identity = "" if adapter is None else getattr(adapter, "identity", adapter.name)
    name = sha256(f"{sdk_key}\n{identity}".encode()).hexdigest()[:16]
    kept = LastKnownGood(directory, name)
    if not options.shared_polling or adapter is None:
        return kept, None
    from statsig_fastly.sync.shared import SharedPolling

    return kept, SharedPolling(directory, name)
