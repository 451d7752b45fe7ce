"""Sending events: `EventDelivery` and what it is made of.

In: a native log in which events wait. Out: requests to the collector, files in the spool, and counts that
account for every event.
"""

from __future__ import annotations

from statsig_fastly.events.delivery import EventDelivery
from statsig_fastly.events.stats import DeliverySettings, EventStats, FlushResult

__all__ = ["DeliverySettings", "EventDelivery", "EventStats", "FlushResult"]
