"""CPU seconds, which a busy machine disturbs less than those of the day."""

from __future__ import annotations

from time import process_time

__all__ = ["cpu_seconds"]

try:
    from wit_world.imports import compute_runtime
except ImportError:
    cpu_seconds = process_time
else:

    def cpu_seconds() -> float:
        """CPU seconds of the host: what it calls has milliseconds at Fastly, nanoseconds in `measure.py`."""
        elapsed: int = compute_runtime.get_vcpu_ms()
        return elapsed / 1e9
