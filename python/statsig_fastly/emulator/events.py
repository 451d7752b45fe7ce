"""The event collector: takes `POST /v1/log_event` requests, keeps what was in them, answers 202.

In: requests with a JSON body, plain or compressed with gzip. Out: `LogEventRequest`s.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statsig_fastly.emulator.exchange import Answer, json_answer

if TYPE_CHECKING:
    from statsig_fastly.emulator.exchange import RecordedRequest

__all__ = ["PATH", "EventCollector", "LogEventRequest"]

PATH = "/v1/log_event"


@dataclass(frozen=True, slots=True)
class LogEventRequest:
    """One accepted request of an SDK that flushed events.

    Attributes:
        body: The decoded body: `{"events": [...], "statsigMetadata": {...}}`.
        headers: Header values by lower-case name, the SDK key among them; not part of the `repr`.
        size: Bytes of the body as sent.
        arrived_at: Seconds since the epoch on the emulator's clock.
    """

    body: dict[str, Any]
    headers: dict[str, str] = field(repr=False)
    size: int
    arrived_at: float

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of this request, oldest first."""
        found: list[dict[str, Any]] = self.body["events"]
        return found


class EventCollector:
    """Keeps every accepted log_event request. The caller holds the emulator's lock."""

    def __init__(self) -> None:
        self.accepted: list[LogEventRequest] = []

    def answer(self, request: RecordedRequest) -> Answer:
        """Takes a request: 202 and `{"success":true}`, or 4xx and why the body was not understood."""
        if request.method != "POST":
            return _refusal(405, "method not allowed")
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in {"identity", "gzip"}:
            return _refusal(415, "content-encoding: expected gzip or none")
        try:
            raw = gzip.decompress(request.body_bytes) if encoding == "gzip" else request.body_bytes
            body = json.loads(raw)
        except (ValueError, EOFError, OSError, zlib.error):
            return _refusal(400, "the body is not JSON in the announced encoding")
        if not isinstance(body, dict) or not isinstance(body.get("events"), list):
            return _refusal(400, "events: expected a list")
        self.accepted.append(
            LogEventRequest(body, request.headers, len(request.body_bytes), request.arrived_at)
        )
        return json_answer(202, {"success": True})


def _refusal(status: int, reason: str) -> Answer:
    return json_answer(status, {"success": False, "error": reason})
