"""Scripted failures: which requests go wrong, how, and how often.

In: `Fault`s from the test. Out: for each request the fault that applies to it, if any. What a fault
does to the connection is in `delivery`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly.emulator.exchange import Answer, RecordedRequest

__all__ = ["Fault", "FaultScript"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with the requests it matches.

    Which requests: every one whose method and path match, minus the first `skip`, then every
    `every`-th, then with `probability`, until it has struck `times` times.

    What happens to the request itself: it is carried out, unless the fault replaces the answer
    (`status`) or cuts the connection before it (`reset="before"`); then it is carried out only with
    `after=True`, which is the write that took effect while its response got lost.

    Attributes:
        method: Method to match, or None for all.
        path: Regular expression searched for in the decoded path.
        times: How many requests to strike before the fault is removed; None for no end.
        skip: Matching requests to let through first.
        every: Strike the first of every so many matching requests; 2 flips on each request.
        probability: Chance to strike, 0 to 1, from a generator seeded with `seed`.
        seed: Seed of that generator.
        status: Answer with this status instead of the real answer.
        headers: Headers set on the answer, replacing the real ones of the same name.
        drop_headers: Headers removed from the answer.
        body: Body of the answer instead of the real one.
        delay: Seconds to wait before anything is sent.
        drip: Seconds to wait after every `drip_bytes` of the body.
        drip_bytes: Size of the pieces of a dripping body.
        reset: Cut the connection with a reset, `before` anything was sent or in the middle of the `body`.
        truncate: Send so many bytes of the body under the Content-Length of all of it, then close.
        chunked: Send the body chunked, without a Content-Length.
        stale: Serve a KV item from the version before the visible one.
        after: Carry the request out although its answer is replaced or lost.
    """

    method: str | None = None
    path: str = ""
    times: int | None = 1
    skip: int = 0
    every: int = 1
    probability: float = 1.0
    seed: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_headers: tuple[str, ...] = ()
    body: bytes | None = field(default=None, repr=False)
    delay: float = 0.0
    drip: float = 0.0
    drip_bytes: int = 1024
    reset: Literal["before", "body"] | None = None
    truncate: int | None = None
    chunked: bool = False
    stale: bool = False
    after: bool = False

    def __post_init__(self) -> None:
        re.compile(self.path)
        if self.times is not None and self.times < 1:
            raise ValueError(f"times: expected at least 1 or None, got {self.times}")
        if self.skip < 0 or self.every < 1:
            raise ValueError(f"skip and every: expected at least 0 and 1, got {self.skip} and {self.every}")
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability: expected 0 to 1, got {self.probability}")
        if self.delay < 0 or self.drip < 0 or self.drip_bytes < 1:
            raise ValueError("delay, drip and drip_bytes: expected at least 0, 0 and 1")
        if self.reset not in {None, "before", "body"}:
            raise ValueError(f"reset: expected 'before', 'body' or None, got {self.reset!r}")
        if self.truncate is not None and self.truncate < 0:
            raise ValueError(f"truncate: expected at least 0 bytes, got {self.truncate}")
        if self.chunked and self.truncate is not None:
            raise ValueError("chunked and truncate exclude each other: a chunked body has no length to miss")

    @classmethod
    def error_page(cls, *, method: str | None = None, path: str = "", times: int | None = 1) -> Fault:
        """An HTML page with status 200 where a value was expected."""
        page = b"<!doctype html><title>Maintenance</title><h1>We will be right back</h1>"
        return cls(
            method=method,
            path=path,
            times=times,
            status=200,
            headers={"Content-Type": "text/html"},
            body=page,
        )

    @classmethod
    def redirect(
        cls,
        location: str,
        *,
        status: int = 301,
        method: str | None = None,
        path: str = "",
        times: int | None = 1,
    ) -> Fault:
        """A redirect to `location`."""
        return cls(method=method, path=path, times=times, status=status, headers={"Location": location})

    @classmethod
    def too_many_requests(
        cls,
        *,
        retry_after: int | None = None,
        method: str | None = None,
        path: str = "",
        times: int | None = 1,
    ) -> Fault:
        """A 429, with `Retry-After` in seconds if given."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls(method=method, path=path, times=times, status=429, headers=headers)

    @property
    def carries_out(self) -> bool:
        """True if the request takes effect in spite of the fault."""
        return self.after or (self.status is None and self.reset != "before")

    def applied_to(self, answer: Answer) -> Answer:
        """The answer with status, headers and body replaced as far as the fault says so."""
        if self.status is not None:
            answer = type(answer)(self.status)
        dropped = {name.lower() for name in (*self.drop_headers, *self.headers)}
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in dropped}
        body = answer.body if self.body is None else self.body
        return type(answer)(answer.status, {**headers, **self.headers}, body)


class FaultScript:
    """The faults still to come, first come first served. The caller holds the emulator's lock."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def add(self, fault: Fault) -> None:
        """Puts a fault at the end of the queue."""
        self._entries.append(_Entry(fault))

    def clear(self) -> None:
        """Forgets all faults."""
        self._entries.clear()

    def pending(self) -> list[Fault]:
        """The faults that have not struck as often as they were told to."""
        return [entry.fault for entry in self._entries]

    def strike(self, request: RecordedRequest) -> Fault | None:
        """The first fault that applies to this request; it is used up by it."""
        for entry in self._entries:
            if entry.strikes(request):
                if entry.left == 0:
                    self._entries.remove(entry)
                return entry.fault
        return None


class _Entry:
    __slots__ = ("_matched", "_pattern", "_random", "fault", "left")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times
        self._matched = 0
        self._pattern = re.compile(fault.path)
        self._random = random.Random(fault.seed)  # noqa: S311 - repeatable on purpose

    def strikes(self, request: RecordedRequest) -> bool:
        fault = self.fault
        if fault.method is not None and fault.method.upper() != request.method:
            return False
        if not self._pattern.search(request.path):
            return False
        position = self._matched - fault.skip
        self._matched += 1
        if position < 0 or position % fault.every:
            return False
        if fault.probability < 1.0 and self._random.random() >= fault.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True
