"""What left the log and has not arrived: batches in memory and in the spool.

In: a log, and what came of sending a batch. Out: the batch to send next, and counts of all events.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from statsig_fastly.errors import described
from statsig_fastly.events.batches import Batch, encoded, halves
from statsig_fastly.events.spool_accounts import SpoolCounts
from statsig_fastly.events.stats import EventStats

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from statsig_fastly.events.batches import EventLog
    from statsig_fastly.events.requests import Verdict
    from statsig_fastly.events.spool import Claim, Spool, Written
    from statsig_fastly.events.stats import DeliverySettings

__all__ = ["Backlog", "Tally"]

_log = logging.getLogger("statsig_fastly")

Fate = Literal["sent", "dropped_refused", "dropped_too_large"]


@dataclass(slots=True)
class Tally:
    """Requests, and events by what became of them; the fields are those of `EventStats`."""

    sent: int = 0
    sent_for_others: int = 0
    dropped_overflow: int = 0
    dropped_refused: int = 0
    dropped_too_large: int = 0
    dropped_at_exit: int = 0
    dropped_for_others: int = 0
    requests: int = 0
    failed_requests: int = 0
    last_error: str | None = None
    last_sent_at: float | None = None

    def answered(self, verdict: Verdict, now: float) -> None:
        """Counts a request."""
        self.requests += 1
        if verdict.kind == "accepted":
            self.last_sent_at = now
        else:
            self.failed_requests += 1
            self.last_error = verdict.reason

    def add(self, fate: Fate, count: int) -> None:
        """Counts so many events more."""
        setattr(self, fate, getattr(self, fate) + count)


class Backlog:
    """Batches between the log and the collector. Every batch is in exactly one place, and counted there.

    Who sends has the turn (see `EventDelivery`); only `give_up` may be called while another thread has it.

    Args:
        log: Where batches come from.
        settings: Sizes and limits.
        spool: Where batches are kept that failed; None keeps them in memory.
        clock: Seconds of a clock that only moves forward.
        wall: Seconds since the epoch.

    Attributes:
        lock: Held while counts change; never while something is sent or written.
        tally: What became of events.
        waiting_since: When the oldest event in the log was noticed, on the clock; None if there is none.
    """

    def __init__(
        self,
        log: EventLog,
        settings: DeliverySettings,
        spool: Spool | None,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._log = log
        self._settings = settings
        self._spool = spool
        self._clock = clock
        self._wall = wall
        self._start_over()

    def _start_over(self) -> None:
        self.lock = threading.RLock()
        self._encoding = threading.RLock()
        self.tally = Tally()
        self.waiting_since: float | None = None
        self._held: list[Batch] = []
        self._spool_failed = False

    def forked(self) -> None:
        """In a forked child: everything there is, is the parent's."""
        self._start_over()
        if self._spool is not None:
            self._spool.forked()

    @property
    def held(self) -> int:
        """Events in memory that left the log."""
        with self.lock:
            return sum(batch.count for batch in self._held)

    @property
    def is_full(self) -> bool:
        """True if memory holds as many batches as it may."""
        with self.lock:
            return len(self._held) >= self._settings.max_pending_batches

    @property
    def spooled(self) -> int:
        """Events of this process in the spool."""
        return self._spool_counts.own_events

    @property
    def dropped_for_space(self) -> int:
        """Events that were in files, of whatever process, which this one removed because space was short."""
        return sum(self._spool_counts.dropped_for_space)

    @property
    def _spool_counts(self) -> SpoolCounts:
        return SpoolCounts() if self._spool is None else self._spool.counts

    def stats(self) -> EventStats:
        """What became of all events so far, as of one moment."""
        with self.lock:
            counts, tally, spool = self._log.counts, self.tally, self._spool_counts
            return EventStats(
                recorded=counts["recorded"],
                deduplicated=counts["deduplicated"],
                sampled_out=counts["sampled_out"],
                sent=tally.sent,
                pending=counts["waiting"] + self.held + spool.own_events,
                spooled=spool.own_events,
                dropped_overflow=counts["overflowed"] + tally.dropped_overflow,
                dropped_refused=tally.dropped_refused,
                dropped_too_large=tally.dropped_too_large,
                dropped_at_exit=tally.dropped_at_exit,
                dropped_spool_full=spool.dropped_for_space.own,
                dropped_unreadable=spool.dropped_unreadable.own,
                sent_for_others=tally.sent_for_others,
                dropped_for_others=tally.dropped_for_others
                + spool.dropped_for_space.others
                + spool.dropped_unreadable.others,
                taken_by_others=spool.taken_by_others,
                uncounted_checks=counts["uncounted_checks"],
                requests=tally.requests,
                failed_requests=tally.failed_requests,
                last_error=tally.last_error,
                last_sent_at=tally.last_sent_at,
            )

    def fresh(self, metadata: Mapping[str, object]) -> Batch | None:
        """The oldest events of the log as a batch, or None if none wait."""
        with self._encoding:
            return self._fresh(metadata)

    def _fresh(self, metadata: Mapping[str, object]) -> Batch | None:
        with self.lock:
            # In this order: an event that comes in between sets the time anew.
            since, self.waiting_since = self.waiting_since, None
            events = self._log.take(self._settings.batch_size)
            if events is None:
                return None
            if len(self._log) and self.waiting_since is None:
                self.waiting_since = self._clock() if since is None else since
            batch = Batch(b"", len(events), int(self._wall() * 1000))
            self._held.append(batch)
        try:
            batch.body = encoded(events, metadata, compress=self._settings.compress)
        except Exception as error:  # whatever it is, the batch cannot stay  # noqa: BLE001
            _log.warning("%d events cannot be encoded and are lost: %s", batch.count, described(error))
            self.remove(batch, "dropped_refused")
            return None
        return batch

    def waiting(self, tried: Container[object], *, with_demoted: bool) -> Iterator[Batch]:
        """The batches to try again, oldest first: the spool's before those in memory.

        Args:
            tried: Batches, and names of files, to pass over.
            with_demoted: False leaves out batches that failed again and again. True takes what failed least
                often first: of many that had their share of an outage, one may never arrive.
        """
        if self._spool is not None:
            for claim in self._spool.claims(tried, with_demoted=with_demoted):
                yield claim.batch
        while True:
            with self.lock:
                left = [batch for batch in self._held if batch.body and batch not in tried]
            if not with_demoted:
                left = [batch for batch in left if not batch.demoted]
            if not left:
                return
            yield min(left, key=lambda batch: batch.failures) if with_demoted else left[0]

    def remove(self, batch: Batch, fate: Fate) -> None:
        """Takes a batch off: it was sent, or it never will be."""
        with self.lock:
            if batch.claim is not None:
                if batch.claim.done():
                    self.tally.add(fate, batch.count)
                elif fate == "sent":
                    self.tally.sent_for_others += batch.count
                else:
                    self.tally.dropped_for_others += batch.count
            elif batch in self._held:
                self._held.remove(batch)
                self.tally.add(fate, batch.count)
            elif batch.given_up:
                batch.given_up = False
                self.tally.dropped_at_exit -= batch.count
                self.tally.add(fate, batch.count)
            elif self._spool is not None and batch.left_as and self._spool.withdraw(batch.left_as):
                self.tally.add(fate, batch.count)

    def split(self, batch: Batch) -> bool:
        """Puts the two halves of a batch in its place. False if it has none."""
        parts = halves(batch)
        if parts is None:
            return False
        if batch.claim is None:
            with self.lock:
                if batch in self._held:
                    at = self._held.index(batch)
                    self._held[at : at + 1] = parts
            return True
        self._split_file(batch, batch.claim, parts)
        return True

    def _split_file(self, batch: Batch, claim: Claim, parts: tuple[Batch, Batch]) -> None:
        written: list[Written] = []
        try:
            written.extend(claim.spool.write(part) for part in parts)
            with self.lock:
                _publish_in_place_of(claim, written)
        except OSError:
            for part in written:
                part.discard()
            self.set_back(batch)

    def set_back(self, batch: Batch) -> None:
        """Keeps a batch that failed for another try."""
        batch.retries += 1
        batch.failures += 1
        if batch.claim is not None and self._spool is not None:
            self._spool.tried(batch.claim)
            return
        self.store(batch)
        self.trim()

    def store(self, batch: Batch) -> bool:
        """Moves a batch from memory to the spool. False if there is none or it cannot be written."""
        if self._spool is None:
            return False
        with self.lock:
            if batch.moving or not batch.body or batch not in self._held:
                return False
            batch.moving = True
        try:
            written = self._spool.write(batch)
            with self.lock:
                if batch in self._held:
                    written.publish()
                    self._held.remove(batch)
                    batch.left_as = written.name
                else:  # it arrived, or was split, while it was being written
                    written.discard()
        except OSError as error:
            if not self._spool_failed:
                self._spool_failed = True
                _log.warning("events stay in memory, the spool cannot be written: %s", error)
            return False
        finally:
            batch.moving = False
        self._spool_failed = False
        self._spool.make_room()  # other processes may have written meanwhile
        return True

    def trim(self) -> None:
        """Drops the oldest batches in memory if there are too many."""
        with self.lock:
            surplus = len(self._held) - self._settings.max_pending_batches
            for batch in [batch for batch in self._held if not batch.moving][: max(0, surplus)]:
                self._held.remove(batch)
                self.tally.dropped_overflow += batch.count

    def give_up(self, metadata: Mapping[str, object]) -> None:
        """Spools what waits in the log and in memory, or counts it as lost.

        A batch that is being sent meanwhile is among them; `remove` sets the counts right if it arrives.
        """
        while self._spool is not None and (batch := self.fresh(metadata)) is not None:
            self.store(batch)
        with self._encoding, self.lock:  # whoever is packing a batch has packed it then
            batches = list(self._held)
        for batch in batches:
            if not self.store(batch):
                with self.lock:
                    if batch in self._held and not batch.moving:
                        self._held.remove(batch)
                        batch.given_up = True
                        self.tally.dropped_at_exit += batch.count
        with self.lock:
            while (events := self._log.take(self._settings.batch_size)) is not None:
                self.tally.dropped_at_exit += len(events)


def _publish_in_place_of(claim: Claim, parts: list[Written]) -> None:
    """All of them or, where that fails, none."""
    own = claim.spool.accounts.owns(claim.name)
    published: list[str] = []
    try:
        for part in parts:
            part.publish(own=own)
            published.append(part.name)
    except OSError:
        for name in published:
            claim.spool.withdraw(name)
        raise
    # After its parts are there: whoever is killed in between sends twice rather than not at all.
    claim.done()
