"""Settings, checked when they are made."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statsig_fastly._native import Evaluator
from statsig_fastly.adapters import SpecAdapter
from statsig_fastly.transport import as_transport

if TYPE_CHECKING:
    import urllib3

    from statsig_fastly.persistent_storage import StickyStorage
    from statsig_fastly.transport import Transport

__all__ = ["StatsigOptions"]

_LONGEST_MS = int(threading.TIMEOUT_MAX) * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class StatsigOptions:
    """How a `Statsig` client works.

    Attributes:
        data_adapter: Where the payload comes from: a `FastlyDataAdapter`, a `FastlyTomlAdapter`, a
            `MemoryAdapter`, or any object with the members of `SpecAdapter`.
        bootstrap: A payload to use when the adapter has none to give, as JSON text or bytes.
        environment: Tier of users who bring no `statsig_environment` of their own, such as
            `"staging"`. None: the payload's default.
        global_custom_fields: Attributes that every user has who has none of that name in `custom`.
        init_timeout_ms: How long `initialize` and the context manager wait for the adapter, in ms. The
            adapter goes on after that, and what it brings is used.
        disable_country_lookup: True if conditions on the country of an IP address are to see the user's own
            `country` only. Otherwise a table of addresses is loaded when a payload has such conditions; it
            needs the extra `geo`.
        id_lists: Who is on which ID list (conditions with `in_segment_list`): unit ids by name of the list,
            such as `{"beta testers": ["user-1", "user-2"]}`. These are lists of the application's own;
            none are fetched.
        persistent_storage: Where results of experiments and layers are kept, so that users stay in their
            groups: a `PersistentStorage`, or any object with its `load`, `save` and `delete`. With one, a
            check that is given no `user_persisted_values` removes what is kept.
        disable_all_logging: True if nothing is to be recorded and nothing sent: no exposures, no events.
        disable_exposure_logging: True if checks are to be counted, not exposed. Exposures that are asked for
            (`manually_log_gate_exposure` and the like) and events are still sent.
        disable_network: True if nothing is to be sent to Statsig; then nothing is recorded either. Adapters
            are asked all the same.
        log_event_url: Where events are sent, if not to Statsig. A user name and a password in it are sent as
            HTTP's basic authentication.
        event_logging_flush_interval_ms: For how long events wait before they are sent, in ms, unless a batch
            comes together before.
        event_logging_max_queue_size: How many events are sent at a time, 1 to 2,000.
        event_logging_max_pending_batch_queue_size: How many batches wait at most, at least 1. Of more events
            than fit into these, the oldest are dropped and counted.
        exposure_dedupe_max_keys: How many exposures are remembered for a minute, in which they are not
            repeated; of more, the oldest are forgotten.
        service_name: What Statsig is told the application is called.
        spool_dir: A directory in which events that could not be sent are kept, to be sent later by this or
            another process. None: they are kept in memory.
        spool_max_bytes: How much is kept there; of more, the oldest is removed and counted.
        exit_timeout_ms: For how long the process, when it ends, goes on sending events, in ms.
        log_event_transport: What events are sent through, such as a `urllib3.PoolManager` with a proxy. None:
            a pool of connections of the client's own.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """

    data_adapter: SpecAdapter | None = None
    bootstrap: str | bytes | None = field(default=None, repr=False)
    environment: str | None = None
    global_custom_fields: Mapping[str, Any] | None = None
    init_timeout_ms: int = 3000
    disable_country_lookup: bool = False
    id_lists: Mapping[str, Collection[str]] | None = field(default=None, repr=False)
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
        _check("environment", self.environment, str, "str")
        _check_utf8("bootstrap", self.bootstrap)
        _check_utf8("environment", self.environment)
        _check("global_custom_fields", self.global_custom_fields, Mapping, "a mapping of str to attribute")
        _check("id_lists", self.id_lists, Mapping, "a mapping of str to unit ids")
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
        _check("spool_dir", self.spool_dir, (str, os.PathLike), "a path")
        if self.log_event_transport is not None:
            try:
                as_transport(self.log_event_transport)
            except TypeError as error:
                raise TypeError(f"argument 'log_event_transport': {str(error).partition(': ')[2]}") from None


_FLAGS = ("disable_country_lookup", "disable_all_logging", "disable_exposure_logging", "disable_network")

_MANY = 1 << 31

# Least, most and unit of each.
_NUMBERS = {
    "init_timeout_ms": (1, _LONGEST_MS, " ms"),
    "event_logging_flush_interval_ms": (1, _LONGEST_MS, " ms"),
    "event_logging_max_queue_size": (1, 2000, " events"),
    "event_logging_max_pending_batch_queue_size": (1, _MANY, " batches"),
    "exposure_dedupe_max_keys": (1, _MANY, " exposures"),
    "spool_max_bytes": (1, 1 << 62, " bytes"),
    "exit_timeout_ms": (0, _LONGEST_MS, " ms"),
}


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
