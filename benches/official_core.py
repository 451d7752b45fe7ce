"""The official core with the payload of a data store, offline: what it is measured with."""

from __future__ import annotations

from typing import Any

__all__ = ["core_client"]


def core_client(payload: bytes, *, logs: bool = False) -> Any:
    """A client that is not started yet.

    Raises:
        ImportError: The package is not installed.
    """
    import statsig_python_core as core

    class Store(core.DataStore):  # type: ignore[misc, name-defined]
        def initialize(self) -> None: ...
        def shutdown(self) -> None: ...

        def get(self, _key: str) -> Any:
            return core.DataStoreResponse(result=payload.decode(), time=0)

        def set(self, key: str, value: str, time: int | None = None) -> None: ...

        def support_polling_updates_for(self, _key: str) -> bool:
            return True  # or it would not ask at its start

    options = core.StatsigOptions()
    options.data_store = Store()
    options.disable_network = True
    options.disable_all_logging = not logs
    options.disable_country_lookup = True
    # Not while something is timed: the store would be read, and all of it handed over, every ten seconds.
    options.specs_sync_interval_ms = 3_600_000
    options.output_log_level = "none"
    return core.Statsig("secret-bench", options)
