"""The client of a program that a test starts: `from program_client import statsig`, in the program.

Where it sends events, and where its payload comes from, is in the environment; see `programs`.
"""

from __future__ import annotations

import os

from small_project import payload
from statsig_fastly import FastlyDataAdapter, MemoryAdapter, Statsig, StatsigOptions

__all__ = ["adapter", "options", "statsig"]

adapter: FastlyDataAdapter | MemoryAdapter
if "STORE_API" in os.environ:
    adapter = FastlyDataAdapter("specs", "statsig-key", token="emulator-token", api=os.environ["STORE_API"])
else:
    adapter = MemoryAdapter(payload())

# Nothing is sent before it is asked for or the process ends: what arrives was sent by what is tested.
options = StatsigOptions(
    data_adapter=adapter,
    log_event_url=os.environ["EVENTS_TO"],
    event_logging_flush_interval_ms=3_600_000,
    exit_timeout_ms=int(os.environ.get("EXIT_TIMEOUT_MS", "30000")),
    init_timeout_ms=30_000,
)
statsig = Statsig("secret-key", options)
if not statsig.initialize().result(60).init_success:
    raise SystemExit(f"no start: {statsig.get_initialize_details()}")
