"""A persistent storage in memory that remembers what it was told."""

from __future__ import annotations

import copy
from typing import Any

from statsig_fastly import PersistentStorage

__all__ = ["RecordingStorage"]


class RecordingStorage(PersistentStorage):
    """Keeps entries by key and name; `take` gives the calls since the last time."""

    def __init__(self) -> None:
        self.saved: dict[tuple[str, str], Any] = {}
        self._calls: list[tuple[Any, ...]] = []

    def load(self, key: str) -> dict[str, Any]:
        return {name: entry for (unit, name), entry in self.saved.items() if unit == key}

    def save(self, key: str, config_name: str, data: Any) -> None:  # noqa: ANN401 - any JSON
        self._calls.append(("save", key, config_name, copy.deepcopy(data)))
        self.saved[key, config_name] = data

    def delete(self, key: str, config_name: str) -> None:
        self._calls.append(("delete", key, config_name))
        self.saved.pop((key, config_name), None)

    def take(self) -> list[tuple[Any, ...]]:
        """The calls since it was last asked, in order."""
        calls, self._calls = self._calls, []
        return calls
