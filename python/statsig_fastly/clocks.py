"""The clock that measures how long ago something was."""

from __future__ import annotations

import sys
import time

__all__ = ["steady"]

steady = time.monotonic if sys.platform != "wasi" else time.time
"""Seconds of a clock that only moves forward.

A Fastly Compute component is a picture of memory taken when it was built. There the steady clock begins anew
with every sandbox, and a time that was kept of it would lie in the future: that of the day takes its place.
"""
