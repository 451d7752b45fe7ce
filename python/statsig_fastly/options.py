"""Settings, checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from statsig_fastly.adapters import SpecAdapter

__all__ = ["StatsigOptions"]


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

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """

    data_adapter: SpecAdapter | None = None
    bootstrap: str | bytes | None = None
    environment: str | None = None
    global_custom_fields: Mapping[str, Any] | None = None
    init_timeout_ms: int = 3000

    def __post_init__(self) -> None:
        _check("data_adapter", self.data_adapter, SpecAdapter, "an adapter with name, fetch and close")
        _check("bootstrap", self.bootstrap, (str, bytes), "str or bytes")
        _check("environment", self.environment, str, "str")
        _check("global_custom_fields", self.global_custom_fields, Mapping, "a mapping of str to attribute")
        if isinstance(self.init_timeout_ms, bool) or not isinstance(self.init_timeout_ms, int):
            raise TypeError(f"argument 'init_timeout_ms': expected int, got {_type(self.init_timeout_ms)}")
        if self.init_timeout_ms <= 0:
            raise ValueError(
                f"argument 'init_timeout_ms': expected more than 0 ms, got {self.init_timeout_ms}"
            )


def _check(name: str, value: object, types: type | tuple[type, ...], expected: str) -> None:
    if value is not None and not isinstance(value, types):
        raise TypeError(f"argument '{name}': expected {expected} or None, got {_type(value)}")


def _type(value: object) -> str:
    return type(value).__name__
