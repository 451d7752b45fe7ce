"""Data stores in the shape of those of the official package."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, Final

from statsig_python_core import DataStore, DataStoreResponse

__all__ = ["KEY", "SPECS", "V2_KEY", "V3_KEY", "KeptBytes", "KeptText", "Returning"]

KEY: Final = "secret-0123456789abcdefXYZ"
V2_KEY: Final = "statsig|/v2/download_config_specs|plain_text|yHzI48057BuuGyCC8ftZNgB+GH0uooP/xl4OpqYqb8w="
V3_KEY: Final = "statsig|/v2/download_config_specs|plain_text|secret-0123456789abc"
SPECS: Final = '{"time":1,"name":"ü"}'


class KeptText(DataStore):  # type: ignore[misc]
    """A data store as a user of the official package would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}
        self.written = threading.Event()  # the official core writes some time after its start
        self.calls: list[str] = []

    def initialize(self) -> None:
        self.calls.append("initialize")

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def get(self, key: str) -> DataStoreResponse:
        self.calls.append(f"get {key}")
        return DataStoreResponse(result=self.kept.get(key), time=0)

    def set(self, key: str, value: str, time: int | None = None) -> None:  # noqa: ARG002
        self.kept[key] = value
        self.written.set()


class KeptBytes(DataStore):  # type: ignore[misc]
    """One for bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, bytes] = {}
        self.written = threading.Event()

    def get_bytes(self, key: str) -> Any:  # noqa: ANN401 - the official base class says nothing better
        return SimpleNamespace(result=self.kept.get(key), time=0)

    def set_bytes(self, key: str, value: bytes, time: int | None = None) -> None:  # noqa: ARG002
        self.kept[key] = value
        self.written.set()


class Returning:
    """A store that has this for every key, and only the one method."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def get(self, key: str) -> object:
        assert key
        return self._answer
