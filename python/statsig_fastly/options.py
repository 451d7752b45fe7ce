"""Settings, checked when they are made."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statsig_fastly._native import Evaluator
from statsig_fastly.adapters import SpecAdapter

if TYPE_CHECKING:
    from statsig_fastly.persistent_storage import StickyStorage

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

    def __post_init__(self) -> None:
        _check("data_adapter", self.data_adapter, SpecAdapter, "an adapter with name, fetch and close")
        _check("bootstrap", self.bootstrap, (str, bytes), "str or bytes")
        _check("environment", self.environment, str, "str")
        _check_utf8("bootstrap", self.bootstrap)
        _check_utf8("environment", self.environment)
        _check("global_custom_fields", self.global_custom_fields, Mapping, "a mapping of str to attribute")
        _check("id_lists", self.id_lists, Mapping, "a mapping of str to unit ids")
        if not isinstance(self.disable_country_lookup, bool):
            raise TypeError(
                f"argument 'disable_country_lookup': expected bool, got {_type(self.disable_country_lookup)}"
            )
        # Made to be thrown away: it looks at every value.
        Evaluator(None, self.global_custom_fields, id_lists=self.id_lists)
        if isinstance(self.init_timeout_ms, bool) or not isinstance(self.init_timeout_ms, int):
            raise TypeError(f"argument 'init_timeout_ms': expected int, got {_type(self.init_timeout_ms)}")
        if self.init_timeout_ms <= 0:
            raise ValueError(
                f"argument 'init_timeout_ms': expected more than 0 ms, got {self.init_timeout_ms}"
            )
        if self.init_timeout_ms > _LONGEST_MS:
            raise ValueError(f"argument 'init_timeout_ms': expected at most {_LONGEST_MS} ms, got more")
        _check_storage(self.persistent_storage)


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


def _type(value: object) -> str:
    return type(value).__name__
