"""Sticky values: where an application keeps the results of experiments and layers for its units."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

from statsig_fastly._native import storage_key
from statsig_fastly.errors import described

if TYPE_CHECKING:
    from statsig_fastly._native import StatsigUser

__all__ = ["PersistentStorage", "StickyStorage", "StickyValues", "UserPersistedValues"]

_log = logging.getLogger("statsig_fastly")


class StickyValues(TypedDict, total=False):
    """A kept result, in the shape the official package has for it.

    Reading one, a member that is absent is the same as one that is None.

    Attributes:
        value: Whether the user passed the rule that decided.
        json_value: The parameters.
        rule_id: The rule that decided.
        group_name: The user's group.
        secondary_exposures: Gates that were met, each with `gate`, `gateValue` and `ruleID`.
        undelegated_secondary_exposures: Those that count for parameters the experiment does not set.
        explicit_parameters: The parameters the experiment sets itself.
        config_delegate: The experiment the parameters of a layer came from.
        config_version: The spec's version; 0 if it had none.
        time: When the project was last changed, in ms since the epoch.
    """

    value: bool
    json_value: dict[str, Any] | None
    rule_id: str
    group_name: str | None
    secondary_exposures: list[dict[str, str]]
    undelegated_secondary_exposures: list[dict[str, str]] | None
    explicit_parameters: list[str] | None
    config_delegate: str | None
    config_version: int | None
    time: int


UserPersistedValues: TypeAlias = Mapping[str, StickyValues]
"""What is kept for one unit: entries by the name of the experiment or layer."""


class StickyStorage(Protocol):
    """What `StatsigOptions.persistent_storage` has to have; inheriting from `PersistentStorage` is one way.

    The methods are called by the thread that makes a check, before it returns, and from many threads at a
    time. What they raise is logged and does not reach the check. A client never calls `load`.
    """

    def load(self, key: str, /) -> UserPersistedValues | None:
        """All that is kept for a unit."""

    def save(self, key: str, config_name: str, data: StickyValues, /) -> object:
        """Keeps a result; `data` is the storage's own."""

    def delete(self, key: str, config_name: str, /) -> object:
        """Forgets a result. There need not be one."""


class PersistentStorage(ABC):
    """Base of storages for sticky values.

    A user who was once in a group of an experiment stays there, whatever becomes of the experiment's
    allocation, for as long as the experiment is active. It takes both halves: the client saves results
    to its storage, and each check is given what is kept.

        values = storage.get_user_persisted_value(user, "userID") or {}
        options = ExperimentEvaluationOptions(user_persisted_values=values)
        experiment = statsig.get_experiment(user, "checkout_flow", options)

    A check that is given no values removes what is kept for the user: pass an empty dict to keep results
    from now on.
    """

    @abstractmethod
    def load(self, key: str) -> UserPersistedValues | None:
        """All that is kept under a key, by name of the experiment or layer; None or empty if nothing is."""

    @abstractmethod
    def save(self, key: str, config_name: str, data: StickyValues) -> object:
        """Keeps the result of one experiment or layer, in place of an earlier one."""

    @abstractmethod
    def delete(self, key: str, config_name: str) -> object:
        """Forgets the result of one experiment or layer. There need not be one."""

    def get_user_persisted_value(
        self, user: StatsigUser | str | Mapping[str, Any], id_type: str
    ) -> UserPersistedValues | None:
        """What is kept for a user by one id type; None if the user has no such id.

        Raises:
            TypeError: An argument has the wrong type.
        """
        key = self.get_storage_key(user, id_type)
        return None if key is None else self.load(key)

    @staticmethod
    def get_storage_key(user: StatsigUser | str | Mapping[str, Any], id_type: str) -> str | None:
        """`⟨id⟩:⟨id type⟩`, under which the results of a user are kept; None if the user has no such id.

        Raises:
            TypeError: An argument has the wrong type.
        """
        if isinstance(id_type, str) and id_type.lower() in ("userid", "user_id"):
            id_type = "userID"
        return storage_key(user, id_type)


class StorageCalls:
    """What a client calls in place of its storage: nothing that goes wrong there reaches a check.

    Every kind of fault is logged once, because each check could meet it again.
    """

    __slots__ = ("_reported", "_storage")

    def __init__(self, storage: StickyStorage) -> None:
        self._storage = storage
        self._reported: set[tuple[str, type]] = set()

    def save(self, key: str, name: str, data: StickyValues) -> None:
        """Keeps a result."""
        try:
            self._storage.save(key, name, data)
        except Exception as error:  # noqa: BLE001 - a storage may raise anything
            self._report("save", error)

    def delete(self, key: str, name: str) -> None:
        """Forgets a result."""
        try:
            self._storage.delete(key, name)
        except Exception as error:  # noqa: BLE001 - a storage may raise anything
            self._report("delete", error)

    def refuse(self, name: str, problem: str) -> None:
        """Reports an entry of `user_persisted_values` that cannot be read."""
        if self._is_first("entry", ValueError):
            message = "the entry %r of user_persisted_values is not used: %s (further ones are not logged)"
            _log.warning(message, name, problem)

    def _report(self, call: str, error: Exception) -> None:
        if self._is_first(call, type(error)):
            message = "persistent_storage.%s raised %s (further ones are not logged)"
            _log.warning(message, call, described(error))

    def _is_first(self, call: str, kind: type) -> bool:
        if (call, kind) in self._reported:
            return False
        self._reported.add((call, kind))
        return True
