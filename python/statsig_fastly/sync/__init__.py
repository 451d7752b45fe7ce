"""Keeping a ruleset up to date: when to look, what a look comes to, and what is kept for bad times.

In: an adapter. Out: payloads handed to an evaluator, newest first, and an account of how that goes.
"""

from __future__ import annotations

from statsig_fastly.sync.policy import SyncPolicy
from statsig_fastly.sync.stats import SyncDetails, SyncStats

__all__ = ["SyncDetails", "SyncPolicy", "SyncStats"]
