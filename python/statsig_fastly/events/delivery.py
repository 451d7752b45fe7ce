"""Delivery of events: when to send, when to try again, and when to give up."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from statsig_fastly import lifecycle, threads
from statsig_fastly.backoff import Backoff
from statsig_fastly.clocks import steady
from statsig_fastly.events.backlog import Backlog
from statsig_fastly.events.flushes import Flushes
from statsig_fastly.events.reports import Reports
from statsig_fastly.events.requests import Collector, load
from statsig_fastly.events.stats import DeliverySettings, EventStats, FlushResult
from statsig_fastly.step_thread import StepThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statsig_fastly.events.batches import Batch, EventLog
    from statsig_fastly.events.spool import Spool
    from statsig_fastly.transport import Transport

__all__ = ["EventDelivery"]

# What shutting down keeps of its time for writing to the spool, at most.
_SPOOLING_S = 0.25
# In a Compute service, where a request has 32 of its own: the most that a flush makes.
_REQUESTS_WITHOUT_THREADS = 8


class EventDelivery:
    """Sends what waits in a log: when a batch is full, when it has waited long enough, and when asked to.

    Everything is sent by one background thread, which starts with the first event. A batch that arrives is
    confirmed by the collector's answer; one whose answer is lost is sent again, so that it may arrive twice.

    Args:
        log: Where events wait; its `on_waiting` is to be given `notify`.
        settings: Where, when and how much.
        transport: What carries the requests.
        clock: Seconds of a clock that only moves forward.
        wall: Seconds since the epoch.
        random: Numbers from 0 to 1 for the jitter of retries; None for a generator of its own.
    """

    def __init__(
        self,
        log: EventLog,
        settings: DeliverySettings,
        transport: Transport,
        *,
        clock: Callable[[], float] = steady,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] | None = None,
    ) -> None:
        self._log = log
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._random = random
        self._interval = settings.flush_interval_ms / 1000
        self._transport = transport
        self._loaded = False
        self._collector = Collector(settings.url, settings.sdk_key, transport, wall)
        self._spool: Spool | None = None
        if settings.spool_dir is not None:
            from statsig_fastly.events.spool import Spool, key_digest

            digest = key_digest(settings.sdk_key)
            self._spool = Spool(settings.spool_dir, digest, settings.spool_max_bytes)
        self._backlog = Backlog(log, settings, self._spool, clock, wall)
        self._closed = self._shut = False
        self._inherited = False
        self._inheriting = threading.RLock()
        self._start_over()
        lifecycle.register(self)

    def _start_over(self) -> None:
        self._backoff = Backoff(self._clock, self._random)
        self._turn = threading.Lock()  # whoever sends has it
        self._sender: int | None = None
        self._flushes = Flushes()
        self._thread = StepThread("statsig-fastly-events", self.step, self._flushes.call_off)
        self._reports = Reports()
        self._spool_waits = False
        self._overflow_seen = 0

    def _own_process(self) -> None:
        """In a forked child, with the first use: locks and a thread of its own, of the kind it uses by then.

        gevent may replace `threading` only after the fork, as it does in gunicorn's workers.
        """
        with self._inheriting:
            if self._inherited:
                self._start_over()
                self._inherited = False

    def __repr__(self) -> str:
        where = str(self._collector.address)
        return f"EventDelivery({where!r}, waiting={len(self._log)}, held={self._backlog.held})"

    @property
    def exit_timeout(self) -> float:
        """Seconds the end of the process may take for this delivery."""
        return self._settings.exit_timeout_ms / 1000

    @property
    def waiting(self) -> bool:
        """True if events wait that the end of the process would lose."""
        return len(self._log) > 0 or self._backlog.held > 0

    @property
    def flush_due(self) -> bool:
        """True if a batch is full, the oldest event has waited long enough, or a retry may be made.

        False for as long as the collector is left alone after a failure.
        """
        if self._inherited:
            self._own_process()
        now = self._clock()
        if now < self._backoff.until:
            return False
        return self._backlog.held > 0 or self._is_due(len(self._log), now)

    def notify(self, full: bool) -> bool:  # noqa: ARG002 - the length of the log says so as well
        """Told by the log, in whatever thread records, that events wait.

        It never waits, and raises nothing but what a signal handler raises meanwhile.

        Returns:
            False if it has to be told again, for example because there was no stack left for it, or because
            there could be no more threads.
        """
        try:
            if self._inherited:
                self._own_process()
            lifecycle.hold(self)
            if self._backlog.waiting_since is None:
                self._backlog.waiting_since = self._clock()
            lifecycle.watch_child()
            if not self._closed:
                return self._thread.signal() or not threads.CAN_START_THREADS
            if threads.have_ended():
                self._reports.too_late()
        except Exception:  # noqa: BLE001 - a check must not fail for this; a flush or the exit will do
            return False
        return True

    def resume(self) -> None:
        """Starts the thread if the spool holds batches, of earlier processes for example."""
        if self._inherited:
            self._own_process()
        if self._spool is not None and not self._spool.is_empty():
            self._thread.signal()

    def flush(self, timeout: float | None) -> FlushResult:
        """Has everything tried once, now, unless the server asked to be left alone.

        Args:
            timeout: Seconds to wait for that; None for as long as it takes. What is not done by then goes on
                in the background.
        """
        before = self._so_far()
        if self.waiting or (self._spool is not None and not self._spool.is_empty()):
            self._deliver(timeout)
        self._let_go()
        return self._result(before)

    def shutdown(self, timeout: float) -> FlushResult:
        """Sends what waits, trying again within the time, and then spools it or counts it as lost.

        Events recorded later are delivered by another `flush` or `shutdown`, or when the process ends.

        Args:
            timeout: Seconds this may take.
        """
        before = self._so_far()
        self._closed = True
        reserve = 0.0 if self._spool is None else min(_SPOOLING_S, timeout / 4)
        end = time.monotonic() + max(0.0, timeout - reserve)
        try:
            while self.waiting:
                self._deliver(end - time.monotonic())
                pause = max(0.0, self._backoff.until - self._clock())
                if not self.waiting or time.monotonic() + pause >= end:
                    break
                time.sleep(pause)  # waiting for a lock takes no time in a Compute service
        finally:
            self._call_off(max(0.0, end - time.monotonic()))
            if self.waiting:
                self._load()
                lost = self._backlog.tally.dropped_at_exit
                self._backlog.give_up(self._metadata("shutdown"))
                self._reports.not_in_time(self._backlog.tally.dropped_at_exit - lost)
            self._thread.stop()
            self._let_go()
            self._reports.lost(*self._losses(), self._clock(), at_once=True)
            self._shut = True
        return self._result(before)

    def stats(self) -> EventStats:
        """What became of all events so far."""
        if self._inherited:
            self._own_process()
        return self._backlog.stats()

    def forked(self) -> None:
        """In a forked child: forgets what the parent will send, and the parent's locks and thread."""
        self._inheriting = threading.RLock()
        self._inherited = True
        self._closed = self._shut  # a shutdown that was under way is the parent's
        self._log.clear()
        self._backlog.forked()

    def step(self) -> float | None:
        """Does what is due, in this thread. Returns seconds until something is, or None if nothing waits."""
        if self._inherited:
            self._own_process()
        with self._turn:
            self._sender = threading.get_ident()
            try:
                due = self._step()
            finally:
                self._sender = None
        if due is None:
            self._let_go()
        return due

    def _let_go(self) -> None:
        """Has nothing keep this alive but its users, unless something waits."""
        lifecycle.let_go(self)
        if self.waiting:  # maybe since a moment ago: then whoever recorded it may have held this too early
            lifecycle.hold(self)

    # Asking the thread

    def _deliver(self, timeout: float | None) -> None:
        """Has everything tried once, by the thread if there can be one, and waits for that."""
        lifecycle.watch_child()
        if threading.get_ident() == self._sender or self._thread.is_current():
            return  # called back while sending: waiting for it would take for ever
        asked = self._flushes.ask()
        end = None if timeout is None else time.monotonic() + timeout
        if self._thread.signal():
            self._flushes.wait_for(asked, end)
        else:
            self._deliver_here(end)

    def _deliver_here(self, end: float | None) -> None:
        left = -1.0 if end is None else max(0.0, min(end - time.monotonic(), threading.TIMEOUT_MAX))
        if not self._turn.acquire(timeout=left):
            return
        self._sender = threading.get_ident()
        try:
            self._answer_flushes(end)
        finally:
            self._sender = None
            self._turn.release()

    def _answer_flushes(self, end: float | None) -> None:
        with self._flushes.answering():
            self._round(everything=True, end=end)

    def _call_off(self, timeout: float) -> None:
        """Ends what flushes have asked for, and waits for the request that is under way."""
        self._flushes.call_off()
        if threading.get_ident() != self._sender and self._turn.acquire(timeout=timeout):
            self._turn.release()

    # Sending; whoever does has the turn

    def _step(self) -> float | None:
        if self._flushes.are_open:
            self._answer_flushes(None)
        if self._closed:
            return 0.0 if self._flushes.are_open else None
        if self._clock() >= self._backoff.until:
            self._round(everything=False)
        if self._clock() < self._backoff.until:
            self._set_aside()
        self._reports.lost(*self._losses(), self._clock(), at_once=False)
        return self._next_due()

    def _round(self, *, everything: bool, end: float | None = None) -> None:
        """Sends what is due, or everything; each batch once, and the oldest first."""
        tried: set[object] = set()
        picks = (
            self._backlog.waiting(tried, with_demoted=False),
            self._fresh(everything),
            self._backlog.waiting(tried, with_demoted=True),
        )
        self._spool_waits = self._spool is not None
        made, failed = self._backlog.tally.requests, self._backlog.tally.failed_requests
        for pick in picks:
            while True:
                if not self._may_send(everything, end) or self._has_done_enough(made, failed):
                    return
                batch = next(pick, None)
                if batch is None:
                    break
                tried.add(batch if batch.claim is None else batch.claim.name)
                goes_on = self._attempt(batch, end)
                tried.add(batch.left_as)
                if not goes_on:
                    return
        self._spool_waits = self._spool_waits and self._backlog.tally.failed_requests > failed

    def _may_send(self, everything: bool, end: float | None) -> bool:
        if end is not None and time.monotonic() >= end:
            return False
        if not everything:
            return not self._closed and self._clock() >= self._backoff.until
        # Whoever shuts down answers for the flush when the time is over.
        return self._flushes.are_open and self._clock() >= self._backoff.asked_until

    def _has_done_enough(self, made: int, failed: int) -> bool:
        """Where there are no threads, a request is held up: what fails, and much of it, is left to others."""
        tally = self._backlog.tally
        return not threads.CAN_START_THREADS and (
            tally.failed_requests > failed or tally.requests >= made + _REQUESTS_WITHOUT_THREADS
        )

    def _fresh(self, everything: bool) -> Iterator[Batch]:
        size, left = self._settings.batch_size, len(self._log)
        all_of_it = everything or self._is_overdue(left, self._clock())
        while (left > 0) if all_of_it else (len(self._log) >= size):
            if self._clock() < self._backoff.own_until and self._backlog.is_full:
                return  # another batch that fails would cost the oldest one its place
            kind = "limit" if len(self._log) >= size else "scheduled:max_time"
            if everything:
                kind = "shutdown" if self._closed else "manual"
            batch = self._pack(kind)
            if batch is None:
                return
            left -= batch.count
            yield batch

    def _set_aside(self) -> None:
        """While nothing can be sent: packs what the log should not hold any longer."""
        while True:
            waiting = len(self._log)
            full = waiting >= self._settings.batch_size
            if not full and (self._spool is None or not self._is_overdue(waiting, self._clock())):
                return
            if self._backlog.is_full:
                # The log still has room, or has just begun to lose events: then the oldest ones go instead.
                overflowed = self._log.counts["overflowed"]
                if overflowed == self._overflow_seen:
                    return
                self._overflow_seen = overflowed
            kind = "scheduled:full_batch" if full else "scheduled:max_time"
            batch = self._pack(kind)
            if batch is None:
                return
            self._spool_waits |= self._backlog.store(batch)
            self._backlog.trim()

    def _is_overdue(self, waiting: int, now: float) -> bool:
        since = self._backlog.waiting_since
        return waiting > 0 and since is not None and now >= since + self._interval

    def _is_due(self, waiting: int, now: float) -> bool:
        return waiting >= self._settings.batch_size or self._is_overdue(waiting, now)

    def _next_due(self) -> float | None:
        now, waiting, blocked = self._clock(), len(self._log), self._backoff.until
        due: list[float] = []
        if self._backlog.held or self._spool_waits:
            due.append(blocked)
        elif self._backlog.spooled or (self._spool is not None and self._spool.is_hindered):
            # Another process has claimed them: did it succeed? Or they could not be opened.
            due.append(now + self._interval)
        if waiting:
            since = self._backlog.waiting_since
            if since is None:
                since = self._backlog.waiting_since = now
            at = since + self._interval
            due.append(max(at, blocked) if self._spool is None else at)
        if waiting >= self._settings.batch_size:
            due.append(blocked if self._backlog.is_full else now)
        if self._flushes.are_open:
            due.append(now)
        report = self._reports.lost_due(*self._losses())
        if report is not None:
            due.append(report)
        return max(0.0, min(due) - now) if due else None

    def _attempt(self, batch: Batch, end: float | None) -> bool:
        """Sends a batch and does what the answer asks for. False if others would fare no better now."""
        self._load()
        left = None if end is None else end - time.monotonic()
        try:
            verdict = self._collector.post(batch, self._about("manual"), left)
        except BaseException:
            if batch.claim is not None:
                batch.claim.release()
            raise
        self._backlog.tally.answered(verdict, self._wall())
        if verdict.kind == "accepted":
            self._backoff.succeeded()
            self._reports.accepted()
            self._backlog.remove(batch, "sent")
            return True
        if verdict.kind == "retry":
            self._backoff.failed(verdict.retry_after)
            self._reports.failed(verdict)
            self._backlog.set_back(batch)
            return verdict.status is not None
        if verdict.kind == "refused":
            self._reports.refused(verdict, batch.count)
            self._backlog.remove(batch, "dropped_refused")
        elif not self._backlog.split(batch):
            self._reports.too_large(verdict)
            self._backlog.remove(batch, "dropped_too_large")
        return True

    def _pack(self, flush_type: str) -> Batch | None:
        self._load()
        return self._backlog.fresh(self._metadata(flush_type))

    def _load(self) -> None:
        if not self._loaded:
            with lifecycle.without_fork():
                load(self._transport)
            self._loaded = True

    def _metadata(self, flush_type: str) -> dict[str, object]:
        return {
            **self._about(flush_type),
            "flushingIntervalMs": int(self._backoff.seconds * 1000),
            "batchSize": self._settings.batch_size,
            "maxPendingBatches": self._settings.max_pending_batches,
            "flushType": flush_type,
        }

    def _about(self, flush_type: str) -> Mapping[str, object]:
        given = self._settings.metadata
        return given if isinstance(given, Mapping) else given(flush_type)

    # Accounts

    def _so_far(self) -> tuple[int, int]:
        stats = self.stats()
        return stats.sent, stats.dropped

    def _result(self, before: tuple[int, int]) -> FlushResult:
        stats = self.stats()
        return FlushResult(stats.sent - before[0], stats.pending, stats.dropped - before[1])

    def _losses(self) -> tuple[int, int]:
        overflowed = self._log.counts["overflowed"] + self._backlog.tally.dropped_overflow
        return overflowed, self._backlog.dropped_for_space
