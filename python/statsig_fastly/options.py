"""Settings, checked when they are made."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statsig_fastly._native import Evaluator
from statsig_fastly.adapters import IdListAdapter, SpecAdapter
from statsig_fastly.sync.policy import SyncPolicy
from statsig_fastly.transport import as_transport

if TYPE_CHECKING:
    import urllib3

    from statsig_fastly.persistent_storage import StickyStorage
    from statsig_fastly.sync.stats import SyncDetails, SyncStats
    from statsig_fastly.transport import Transport

__all__ = ["StatsigOptions"]

_LONGEST_MS = int(threading.TIMEOUT_MAX) * 1000
_EVERY_TEN_SECONDS = SyncPolicy.background()


@dataclass(frozen=True, kw_only=True, slots=True)
class StatsigOptions:
    """How a `Statsig` client works.

    Attributes:
        data_adapter: Where the payload comes from: a `FastlyDataAdapter`, a `FastlyTomlAdapter`, a
            `MemoryAdapter`, or any object with the members of `SpecAdapter`.
        data_store: In place of an adapter, a `DataStore` of the official package or any object in its shape:
            see `DataStoreAdapter`.
        bootstrap: A payload to use when the adapter has none to give, as JSON text or bytes.
        sync_policy: When to look whether the adapter has something newer: every 10 s in the background,
            unless told otherwise. See `SyncPolicy`.
        last_known_good_dir: A directory in which the payload in use is kept, for starts at which the adapter
            does not answer in time: a copy for each SDK key and adapter. None keeps none.
        shared_polling: True if the processes of this host that have the same `last_known_good_dir` leave it
            to one of them at a time to ask the store, and take what it found from there.
        fallback_to_statsig_api: True asks Statsig's own CDN at a start where nothing else has a payload, for
            `init_timeout_ms` at most. Without an adapter it is the adapter.
        specs_url: Where Statsig's config specs are, if not at its CDN: all of the address that stands before
            `/<SDK key>.json`.
        stale_after: Seconds without a look that succeeds after which the ruleset counts as stale: a warning
            in the log, and `on_stale`. Some intervals of `sync_policy`, as looks are that far apart. With
            `SyncPolicy.manual` only `sync` and `stats` notice. None: it never does.
        on_update: Called with `SyncDetails` after a look put a newer ruleset in use, in the thread that
            looked: the next look waits until it returns.
        on_stale: Called with `SyncStats` when the ruleset becomes stale, in the thread that notices.
        environment: Tier of users who bring no `statsig_environment` of their own, such as
            `"staging"`. None: the payload's default.
        global_custom_fields: Attributes that every user has who has none of that name in `custom`.
        init_timeout_ms: How long `initialize` and the context manager wait for the adapter, in ms. The
            adapter goes on after that, and what it brings is used.
        disable_country_lookup: True if conditions on the country of an IP address are to see the user's own
            `country` only. Otherwise a table of addresses is loaded when a payload has such conditions; it
            needs the extra `geo`.
        id_lists: Who is on which ID list (conditions with `in_segment_list`): unit ids by name of the list,
            such as `{"beta testers": ["user-1", "user-2"]}`. These are lists of the application's own, which
            go before fetched ones of their names.
        enable_id_lists: True fetches ID lists: from the `data_adapter` if it has some, else as Statsig's SDKs
            do.
        id_list_adapter: Where ID lists are fetched from instead, such as a `FastlyIdListAdapter`: any object
            with the members of `IdListAdapter`. With one, `enable_id_lists` need not be set.
        id_lists_url: Where Statsig's index of ID lists is, if not at its CDN.
        download_id_list_file_api: What stands before the path of their files instead of the host that the
            index names.
        id_lists_sync_interval_ms: For how long at least ID lists are not looked at again, in ms. They are
            looked at when the adapter is.
        persistent_storage: Where results of experiments and layers are kept, so that users stay in their
            groups: a `PersistentStorage`, or any object with its `load`, `save` and `delete`. With one, a
            check that is given no `user_persisted_values` removes what is kept.
        disable_all_logging: True if nothing is to be recorded and nothing sent: no exposures, no events.
        disable_exposure_logging: True if checks are to be counted, not exposed. Exposures that are asked for
            (`manually_log_gate_exposure` and the like) and events are still sent.
        disable_network: True if nothing is to be sent to Statsig; then nothing is recorded either. Adapters
            are asked all the same.
        log_event_url: Where events are sent, if not to Statsig. A user name and a password in it are sent as
            HTTP's basic authentication, as by the official core.
        event_logging_flush_interval_ms: For how long events wait before they are sent, in ms, unless a batch
            comes together before.
        event_logging_max_queue_size: How many events are sent at a time, 1 to 2,000.
        event_logging_max_pending_batch_queue_size: How many batches wait at most, at least 1. Of more events
            than fit into these, the oldest are dropped and counted.
        exposure_dedupe_max_keys: How many exposures are remembered for a minute, or for as long as the
            payload says, in which they are not repeated; of more, the oldest are forgotten.
        service_name: What Statsig is told the application is called.
        spool_dir: A directory in which events that could not be sent are kept, to be sent later by this or
            another process. None: they are kept in memory.
        spool_max_bytes: How much is kept there; of more, the oldest is removed and counted.
        exit_timeout_ms: For how long the process, when it ends, goes on sending events, in ms.
        log_event_transport: What events are sent through, such as a `urllib3.PoolManager` with a proxy. None:
            a pool of connections of the client's own; in a Fastly Compute service, its backend `statsig`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """

    data_adapter: SpecAdapter | None = None
    data_store: object = None
    bootstrap: str | bytes | None = field(default=None, repr=False)
    sync_policy: SyncPolicy = _EVERY_TEN_SECONDS
    last_known_good_dir: str | os.PathLike[str] | None = None
    shared_polling: bool = False
    fallback_to_statsig_api: bool = False
    specs_url: str | None = None
    stale_after: float | None = None
    on_update: Callable[[SyncDetails], object] | None = None
    on_stale: Callable[[SyncStats], object] | None = None
    environment: str | None = None
    global_custom_fields: Mapping[str, Any] | None = None
    init_timeout_ms: int = 3000
    disable_country_lookup: bool = False
    id_lists: Mapping[str, Collection[str]] | None = field(default=None, repr=False)
    enable_id_lists: bool = False
    id_list_adapter: IdListAdapter | None = None
    id_lists_url: str | None = None
    download_id_list_file_api: str | None = None
    id_lists_sync_interval_ms: int = 60_000
    persistent_storage: StickyStorage | None = None
    disable_all_logging: bool = False
    disable_exposure_logging: bool = False
    disable_network: bool = False
    log_event_url: str | None = field(default=None, repr=False)  # it may hold a password
    event_logging_flush_interval_ms: int = 60_000
    event_logging_max_queue_size: int = 2000
    event_logging_max_pending_batch_queue_size: int = 100
    exposure_dedupe_max_keys: int = 100_000
    service_name: str | None = None
    spool_dir: str | os.PathLike[str] | None = None
    spool_max_bytes: int = 64 * 1024 * 1024
    exit_timeout_ms: int = 2000
    log_event_transport: Transport | urllib3.PoolManager | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check("data_adapter", self.data_adapter, SpecAdapter, "an adapter with name, fetch and close")
        _check("bootstrap", self.bootstrap, (str, bytes), "str or bytes")
        self._check_sync()
        _check("environment", self.environment, str, "str")
        _check_utf8("bootstrap", self.bootstrap)
        _check_utf8("environment", self.environment)
        _check("global_custom_fields", self.global_custom_fields, Mapping, "a mapping of str to attribute")
        _check("id_lists", self.id_lists, Mapping, "a mapping of str to unit ids")
        _check("id_list_adapter", self.id_list_adapter, IdListAdapter, "an adapter with ID lists")
        for name in ("id_lists_url", "download_id_list_file_api"):
            if getattr(self, name) is not None:
                from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter

                with _about(name):
                    StatsigIdListAdapter("secret-any", **{name: getattr(self, name)})
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"argument '{name}': expected bool, got {_type(getattr(self, name))}")
        # Made to be thrown away: it looks at every value.
        Evaluator(None, self.global_custom_fields, id_lists=self.id_lists)
        for name, (least, most, unit) in _NUMBERS.items():
            _check_number(name, getattr(self, name), least, most, unit)
        _check_storage(self.persistent_storage)
        _check("log_event_url", self.log_event_url, str, "str")
        _check_url("log_event_url", self.log_event_url)
        _check("service_name", self.service_name, str, "str")
        _check_utf8("service_name", self.service_name)
        _check_header("service_name", self.service_name)
        _check_directory("spool_dir", self.spool_dir)
        if self.log_event_transport is not None:
            try:
                as_transport(self.log_event_transport)
            except TypeError as error:
                raise TypeError(f"argument 'log_event_transport': {str(error).partition(': ')[2]}") from None

    def _check_sync(self) -> None:
        if self.data_store is not None:
            if self.data_adapter is not None:
                raise ValueError("argument 'data_store': expected no data_adapter with it, got both")
            from statsig_fastly.adapters.data_store import DataStoreAdapter

            # Made to be thrown away, as are those below: they look at their arguments.
            with _about("data_store"):
                DataStoreAdapter(self.data_store, key="any")
        if self.specs_url is not None:
            from statsig_fastly.adapters.statsig_cdn import StatsigCdnAdapter

            with _about("specs_url"):
                StatsigCdnAdapter("secret-any", specs_url=self.specs_url)
        if not isinstance(self.sync_policy, SyncPolicy):
            raise TypeError(f"argument 'sync_policy': expected SyncPolicy, got {_type(self.sync_policy)}")
        _check_directory("last_known_good_dir", self.last_known_good_dir)
        if self.shared_polling is True and self.last_known_good_dir is None:
            raise ValueError("argument 'shared_polling': expected last_known_good_dir with it, got None")
        if self.stale_after is not None:
            if isinstance(self.stale_after, bool) or not isinstance(self.stale_after, (int, float)):
                raise TypeError(
                    f"argument 'stale_after': expected seconds or None, got {_type(self.stale_after)}"
                )
            if not 0 < self.stale_after <= threading.TIMEOUT_MAX:
                raise ValueError(
                    f"argument 'stale_after': expected seconds above 0, got {str(self.stale_after)[:40]}"
                )
        for name in ("on_update", "on_stale"):
            callback = getattr(self, name)
            if callback is not None and not callable(callback):
                raise TypeError(f"argument '{name}': expected a function or None, got {_type(callback)}")
            code = getattr(callback, "__code__", None)
            if code is not None and code.co_flags & _IS_COROUTINE:
                raise TypeError(f"argument '{name}': expected a function, got one that has to be awaited")


_FLAGS = (
    "disable_country_lookup",
    "disable_all_logging",
    "disable_exposure_logging",
    "disable_network",
    "enable_id_lists",
    "fallback_to_statsig_api",
    "shared_polling",
)

_MANY = 1 << 31

_IS_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect takes long to import

# Least, most and unit of each.
_NUMBERS = {
    "init_timeout_ms": (1, _LONGEST_MS, " ms"),
    "id_lists_sync_interval_ms": (1, _LONGEST_MS, " ms"),
    "event_logging_flush_interval_ms": (1, _LONGEST_MS, " ms"),
    "event_logging_max_queue_size": (1, 2000, " events"),
    "event_logging_max_pending_batch_queue_size": (1, _MANY, " batches"),
    "exposure_dedupe_max_keys": (1, _MANY, " exposures"),
    "spool_max_bytes": (1, 1 << 62, " bytes"),
    "exit_timeout_ms": (0, _LONGEST_MS, " ms"),
}


@contextmanager
def _about(argument: str) -> Iterator[None]:
    """Has errors of whatever looks at an argument name it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"argument '{argument}': {str(error).partition(': ')[2]}") from None


def _check_directory(name: str, given: object) -> None:
    if given is None:
        return
    path = os.fspath(given) if isinstance(given, (str, os.PathLike)) else None
    if not isinstance(path, str):
        raise TypeError(f"argument '{name}': expected a path of str or None, got {_type(given)}")
    if not path or "\0" in path:
        raise ValueError(f"argument '{name}': expected the path of a directory, got {path[:100]!r}")


def _check_number(name: str, value: object, least: int, most: int, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"argument '{name}': expected int, got {_type(value)}")
    if value < least:
        # Python refuses to show very long ones.
        shown = value if value > -_MANY else "less"
        raise ValueError(f"argument '{name}': expected at least {least}{unit}, got {shown}")
    if value > most:
        raise ValueError(f"argument '{name}': expected at most {most}{unit}, got more")


def _check(name: str, value: object, types: type | tuple[type, ...], expected: str) -> None:
    # A class has the members its instances have, and passes for an adapter.
    if isinstance(value, type):
        raise TypeError(f"argument '{name}': expected {expected} or None, got the class {value.__name__}")
    if value is not None and not isinstance(value, types):
        raise TypeError(f"argument '{name}': expected {expected} or None, got {_type(value)}")


def _check_storage(storage: object) -> None:
    if storage is None:
        return
    expected = "argument 'persistent_storage': expected an object with load, save and delete, or None"
    if isinstance(storage, type):
        raise TypeError(f"{expected}; got the class {storage.__name__}")
    missing = [name for name in ("load", "save", "delete") if not callable(getattr(storage, name, None))]
    if missing:
        raise TypeError(f"{expected}; got {_type(storage)}, which has no {' and no '.join(missing)}")


def _check_utf8(name: str, value: str | bytes | None) -> None:
    try:
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"argument '{name}': expected text that can be encoded as UTF-8, got an unpaired surrogate"
        ) from None


def _check_header(name: str, text: str | None) -> None:
    if text is not None and any(letter < " " or letter == "\x7f" for letter in text):
        raise ValueError(f"argument '{name}': expected text without control characters, got {text[:100]!r}")


def _check_url(name: str, url: str | None) -> None:
    if url is None:
        return
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_usable = url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        # Before an @ there may be a password, after a question mark a token.
        shown = "something else" if "@" in url or "?" in url else repr(url[:40])
        raise ValueError(f"argument '{name}': expected an http or https URL, got {shown}")


def _type(value: object) -> str:
    return type(value).__name__
