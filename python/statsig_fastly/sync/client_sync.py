"""What keeps one client up to date: made of its options, in one place."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from statsig_fastly.adapters import IdListAdapter
from statsig_fastly.backoff import Chance
from statsig_fastly.errors import described
from statsig_fastly.sync.account import Account
from statsig_fastly.sync.in_use import PayloadInUse
from statsig_fastly.sync.look import Looker
from statsig_fastly.sync.schedule import Schedule, pause_of
from statsig_fastly.sync.start import Start
from statsig_fastly.sync.stats import SyncDetails
from statsig_fastly.sync.turns import SharedLooker

if TYPE_CHECKING:
    from statsig_fastly._native import Evaluator
    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.details import FailureDetails
    from statsig_fastly.options import StatsigOptions
    from statsig_fastly.sync.id_lists import IdLists
    from statsig_fastly.sync.last_known_good import LastKnownGood
    from statsig_fastly.sync.look import Looks
    from statsig_fastly.sync.shared import SharedPolling
    from statsig_fastly.sync.stats import SyncStats

__all__ = ["ClientSync"]

_log = logging.getLogger("statsig_fastly")

_PATIENCE_S = 30.0  # for one answer of Statsig's CDN


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
        id_lists: What keeps ID lists up to date; None if none are fetched.
        id_list_adapter: Where these come from, or None.
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
        self.looker: Looks | None = None
        if self.adapter is not None:
            self.looker = alone = Looker(self.adapter, self.in_use, self.account, kept=kept)
            if kept is not None and shared is not None:
                self.looker = SharedLooker(alone, shared, kept, self.in_use, self.account, pause=pause)
        self.id_list_adapter = _id_list_adapter(sdk_key, options)
        self.id_lists = _id_lists(evaluator, self.id_list_adapter, options)
        self.schedule = Schedule(
            options.sync_policy, self.looker, self.account, evaluator, pause=pause, id_lists=self.id_lists
        )
        bootstrap = options.bootstrap
        timeout = options.init_timeout_ms / 1000
        self._start = Start(
            self.in_use,
            timeout,
            looker=self.looker,
            name=name,
            account=self.account,
            kept=kept,
            bootstrap=bootstrap.encode() if isinstance(bootstrap, str) else bootstrap,
            fallback=(lambda: _statsig_cdn(sdk_key, options, timeout))
            if options.fallback_to_statsig_api
            else None,
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

    def start_id_lists(self, timeout: float) -> bool | None:
        """Fetches the ID lists. True if all came within so many seconds, None if none are to be fetched."""
        return None if self.id_lists is None else self.id_lists.start(timeout)

    def look(self) -> SyncDetails:
        """Looks now, for a newer payload and at the ID lists."""
        if self.looker is None:
            details = SyncDetails("unchanged", self.in_use.config_time)
        else:
            details = self.looker.look()
        if self.id_lists is not None:
            self.id_lists.round()
        return details

    def begin(self, looked: SyncDetails | None) -> None:
        """Begins to look as the policy says, after the look of a start."""
        self.schedule.start(looked)

    def close(self) -> None:
        """Closes the adapters. Never raises."""
        if self.looker is not None:
            self.looker.close()
        specs, lists = cast("tuple[object, object]", (self.adapter, self.id_list_adapter))
        for adapter in [specs] if lists is specs else [specs, lists]:
            close = getattr(adapter, "close", None)
            try:
                if close is not None:
                    close()
            except BaseException as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
                _log.warning("closing %s failed: %s", type(adapter).__name__, described(error))

    def stats(self) -> SyncStats:
        """What is in use, and how looks went."""
        self.account.check_stale()
        return self.account.stats()


def _adapter(sdk_key: str, options: StatsigOptions) -> SpecAdapter | None:
    if options.data_adapter is not None:
        return options.data_adapter
    if options.data_store is not None:
        from statsig_fastly.adapters.data_store import DataStoreAdapter

        return DataStoreAdapter(options.data_store, sdk_key)
    return _statsig_cdn(sdk_key, options, _PATIENCE_S) if options.fallback_to_statsig_api else None


def _statsig_cdn(sdk_key: str, options: StatsigOptions, timeout: float) -> SpecAdapter:
    from statsig_fastly.adapters.statsig_cdn import StatsigCdnAdapter

    return StatsigCdnAdapter(
        sdk_key,
        specs_url=options.specs_url,
        service_name=options.service_name or None,
        total_timeout=min(timeout, _PATIENCE_S),
    )


def _files(
    sdk_key: str, adapter: SpecAdapter | None, options: StatsigOptions
) -> tuple[LastKnownGood | None, SharedPolling | None]:
    """Where the last known good payload is, and what processes share."""
    if options.last_known_good_dir is None:
        return None, None
    from hashlib import sha256

    from statsig_fastly.sync.last_known_good import LastKnownGood

    directory = Path(options.last_known_good_dir).absolute()  # should the process go elsewhere
    # Clients of different projects or stores must not take each other's payloads.
    identity = "" if adapter is None else getattr(adapter, "identity", adapter.name)
    name = sha256(f"{sdk_key}\n{identity}".encode()).hexdigest()[:16]
    kept = LastKnownGood(directory, name)
    if not options.shared_polling or adapter is None:
        return kept, None
    from statsig_fastly.sync.shared import SharedPolling

    return kept, SharedPolling(directory, name)


def _id_list_adapter(sdk_key: str, options: StatsigOptions) -> IdListAdapter | None:
    if options.id_list_adapter is not None or not options.enable_id_lists:
        return options.id_list_adapter
    adapter: object = options.data_adapter
    if isinstance(adapter, IdListAdapter):
        return adapter
    from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter

    return StatsigIdListAdapter(
        sdk_key,
        id_lists_url=options.id_lists_url,
        download_id_list_file_api=options.download_id_list_file_api,
    )


def _id_lists(evaluator: Evaluator, adapter: IdListAdapter | None, options: StatsigOptions) -> IdLists | None:
    if adapter is None:
        return None
    from statsig_fastly.id_list_sync import IdListSync
    from statsig_fastly.sync.id_lists import IdLists

    sync = IdListSync(adapter, evaluator, own=options.id_lists or ())
    return IdLists(sync, options.id_lists_sync_interval_ms / 1000)
