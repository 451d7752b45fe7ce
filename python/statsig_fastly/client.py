"""The client: an evaluator that loads its ruleset from an adapter."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from statsig_fastly._native import EventLog
from statsig_fastly.completion import Completion
from statsig_fastly.details import InitializeDetails, Stats
from statsig_fastly.local_overrides import LocalOverrides
from statsig_fastly.options import StatsigOptions
from statsig_fastly.persistent_storage import StorageCalls
from statsig_fastly.sync.client_sync import ClientSync
from statsig_fastly.transport import as_transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.details import FailureDetails
    from statsig_fastly.events import EventDelivery, FlushResult
    from statsig_fastly.explain import CheckKind, Explanation
    from statsig_fastly.sync.stats import SyncDetails
    from statsig_fastly.transport import Transport

__all__ = ["Statsig"]

_log = logging.getLogger("statsig_fastly")

LOG_EVENT_URL = "https://prodregistryv2.org/v1/log_event"
"""Where Statsig takes events."""

SHUTDOWN_TIMEOUT_S = 3.0
"""For how long `shutdown` goes on sending events, in seconds, unless it is told."""

# For how long an exposure is not repeated.
_DEDUPE_MS = 60_000


class Statsig(LocalOverrides, quick_calls=True):
    """Answers gate checks and experiments for one Statsig project.

    Use it as a context manager, with or without `async`, or call `initialize` and `shutdown`:

        with Statsig("secret-key", StatsigOptions(data_adapter=adapter)) as statsig:
            if statsig.check_gate(user, "new_search"):
                ...

    Checks never wait and never raise for what the network does. Before a payload is loaded they return
    defaults, and `details.reason` says so. One instance serves any number of threads.

    The checks themselves are described in `statsig_fastly._native.Evaluator`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The key is empty.
    """

    _options: StatsigOptions
    _process: int
    _lock: AbstractContextManager[bool]
    _start: Completion[InitializeDetails] | None
    _details: InitializeDetails | None
    _sync: ClientSync
    _closed: bool
    _stop: Completion[FlushResult]  # there from the start: a signal handler may ask for it meanwhile
    _delivery: EventDelivery | None

    def __new__(cls, sdk_key: str, options: StatsigOptions | None = None) -> Self:  # noqa: D102 - see the class
        if not isinstance(sdk_key, str):
            raise TypeError(f"argument 'sdk_key': expected str, got {type(sdk_key).__name__}")
        if not sdk_key:
            raise ValueError("argument 'sdk_key': expected a key, got an empty string")
        if not (sdk_key.isascii() and sdk_key.isprintable()) or " " in sdk_key:
            # It goes into a header. What is wrong is often a line end, out of a file.
            raise ValueError(
                "argument 'sdk_key': expected printable ASCII without spaces, got something else"
            )
        if options is None:
            options = StatsigOptions()
        elif not isinstance(options, StatsigOptions):
            raise TypeError(
                f"argument 'options': expected StatsigOptions or None, got {type(options).__name__}"
            )
        storage = options.persistent_storage
        logs = not (options.disable_all_logging or options.disable_network)
        log = _event_log(options) if logs else None
        statsig = super().__new__(
            cls,
            options.environment,
            options.global_custom_fields,
            options.disable_country_lookup,
            options.id_lists,
            None if storage is None else StorageCalls(storage),
            log,
            options.disable_exposure_logging,
        )
        statsig._delivery = None if log is None else statsig._deliver(log, sdk_key, options)
        statsig._options = options
        statsig._details = None
        statsig._sync = ClientSync(statsig, sdk_key, options)
        statsig._start = None
        statsig._closed = False
        statsig._stop = Completion()
        statsig._own_process()
        return statsig

    def __init__(self, sdk_key: str, options: StatsigOptions | None = None) -> None:
        # Both arguments are taken by __new__; this keeps the signature that readers and tools see.
        del sdk_key, options
        super().__init__()

    def _own_process(self) -> None:
        """What a fork must not inherit: a lock that another thread may hold, work whose thread is gone."""
        self._process = os.getpid()
        # Of a kind that a signal handler can take again in the middle of what it interrupts.
        self._lock = threading.RLock()
        if self._start is not None and not self._start.done():
            self._start = None
        if not self._stop.done():
            self._closed = False
            self._stop = Completion()

    def initialize(self) -> Completion[InitializeDetails]:
        """Loads the ruleset: the adapter's, else the last known good one, else `bootstrap`, else Statsig's.

        Returns at once. The completion is done when a ruleset is in use or nothing more can be tried; the
        adapter has `init_timeout_ms` to answer. It does not fail: see `InitializeDetails`. While a start is
        under way, and after one that succeeded, further calls return the same completion. From then on,
        updates are looked for as `sync_policy` says.

        Raises:
            RuntimeError: `shutdown` was called.
        """
        with self._locked():
            self._check_open()
            start = self._start
            if start is None or (start.done() and not self.is_ready):
                start = self._start = Completion.run(self._initialize, name="statsig-fastly-initialize")
            return start

    def initialize_with_details(self) -> Completion[InitializeDetails]:
        """The same as `initialize`, under the name the official package has for this form."""
        return self.initialize()

    def get_initialize_details(self) -> InitializeDetails:
        """How the last start went; before the first one has ended, that nothing is loaded."""
        details = self._details
        return details if details is not None else self._describe(0, (), None)

    def is_initialized(self) -> bool:
        """True if a ruleset is loaded: the same as `is_ready`, under the official package's name."""
        return self.is_ready

    def sync(self) -> Completion[SyncDetails]:
        """Looks now whether the adapter has something newer, and uses it, whatever `sync_policy` says.

        Returns at once; the ruleset in use stays until a newer one is compiled.

        Raises:
            RuntimeError: `shutdown` was called, or there is no adapter.
        """
        with self._locked():
            self._check_open()
        if self._sync.looker is None and self._sync.id_lists is None:
            raise RuntimeError("there is no data_adapter to sync with: set StatsigOptions.data_adapter")
        return Completion.run(self._sync.look, name="statsig-fastly-sync")

    def request_began(self) -> None:
        """Says that a request is being answered: a look that becomes due meanwhile waits for its end.

        Only `SyncPolicy.on_request` looks at it. For middlewares; those of `statsig_fastly.web` do so.
        """
        self._sync.schedule.request_began()

    def request_ended(self) -> Completion[SyncDetails | None] | None:
        """Says that the request has been answered. Returns the look that waited for that, if one did."""
        return self._sync.schedule.request_ended()

    def explain(
        self,
        user: StatsigUser | str | Mapping[str, Any],
        name: str,
        kind: CheckKind | None = None,
        *,
        show_private: bool = False,
    ) -> Explanation:
        """Why a check comes to what it does: `print` shows every rule and condition that was looked at.

        It evaluates as the check itself does, and counts as no exposure. What is nested more than 64 deep is
        left out.

        Args:
            user: As for a check.
            name: The gate, config, experiment or layer.
            kind: What to ask for the name as. Without it, as what it is: a gate goes before a config or
                experiment of the same name, and that before a layer.
            show_private: True shows the values of private attributes, not only that one was used.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: There is no such kind.
        """
        from statsig_fastly.explain import explanation

        return explanation(*self._explain(user, name, kind, show_private))

    def flush(self, timeout: float | None = None) -> Completion[FlushResult]:
        """Sends the events that wait, now.

        Returns at once. Each batch is sent once: what fails is tried again in the background.

        Args:
            timeout: After so many seconds the completion is done at the latest, whatever was sent until then.
                None: when everything was tried.

        Raises:
            TypeError: The timeout is no number.
            ValueError: The timeout is negative.
            RuntimeError: There can be no more threads.
        """
        delivery, seconds = self._delivery, _seconds(timeout)
        if delivery is None:
            return Completion.of(_nothing_sent())
        return Completion.run(lambda: delivery.flush(seconds), name="statsig-fastly-flush")

    def flush_events(self) -> Completion[FlushResult]:
        """The same as `flush()`, under the official package's name."""
        return self.flush()

    @property
    def flush_due(self) -> bool:
        """True if events wait that should be sent by now: a whole batch, or since the flush interval."""
        return self._delivery is not None and self._delivery.flush_due

    def stats(self) -> Stats:
        """Numbers about this client: what became of its events, and how up to date its ruleset is."""
        delivery = self._delivery
        id_lists = self._sync.id_lists
        return Stats(
            events=None if delivery is None else delivery.stats(),
            sync=self._sync.stats(),
            id_lists=None if id_lists is None else id_lists.stats(),
        )

    def shutdown(self, timeout: float = SHUTDOWN_TIMEOUT_S) -> Completion[FlushResult]:
        """Sends the events that wait, and stops. Checks go on working with the ruleset in use.

        Returns at once. What could not be sent in time is kept in `StatsigOptions.spool_dir`, or else counted
        as dropped. Further calls return the same completion. Events recorded later are sent by `flush`, or
        when the process ends.

        Args:
            timeout: For how long to try, in seconds.

        Raises:
            TypeError: The timeout is no number.
            ValueError: The timeout is negative.
            RuntimeError: There can be no more threads.
        """
        seconds = _seconds(timeout)
        with self._locked():
            self._closed = True
            self._stop.begin(lambda: self._shutdown(seconds), name="statsig-fastly-shutdown")
            return self._stop

    def __enter__(self) -> Self:
        self.initialize().wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown().wait()

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    def __repr__(self) -> str:
        sync = self._sync
        return (
            f"Statsig(adapter={sync.adapter.name if sync.adapter is not None else None!r}, "
            f"source={sync.in_use.source!r}, config_time={self.config_time})"
        )

    def _locked(self) -> AbstractContextManager[bool]:
        if self._process != os.getpid():
            self._own_process()
        return self._lock

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this Statsig client was shut down: make a new one")

    def _initialize(self) -> InitializeDetails:
        started = time.monotonic()
        sync = self._sync
        looked, failures = sync.start()
        self._mark_started()
        if failures:
            started_with = sync.in_use.source if self.is_ready else "nothing loaded"
            reasons = "; ".join(failure.reason for failure in failures)
            _log.warning("Statsig started with %s: %s", started_with, reasons)
        left = started + self._options.init_timeout_ms / 1000 - time.monotonic()
        id_lists_ready = sync.start_id_lists(max(0.0, left))
        duration_ms = round((time.monotonic() - started) * 1000)
        self._details = self._describe(duration_ms, failures, id_lists_ready)
        sync.begin(looked)
        return self._details

    def _start_baked(self) -> None:
        """Starts with the bootstrap payload alone: see `statsig_fastly.compute.baked`."""
        self._sync.start_baked()
        self._mark_started()

    def _describe(
        self, duration_ms: int, failures: tuple[FailureDetails, ...], id_lists_ready: bool | None
    ) -> InitializeDetails:
        ready, stats = self.is_ready, self._sync.account.stats()
        last = failures[-1] if failures else None
        return InitializeDetails(
            duration_ms, ready, ready, id_lists_ready, stats.source, last, failures, stats.config_age
        )

    def _deliver(self, log: EventLog, sdk_key: str, options: StatsigOptions) -> EventDelivery:
        """Has what comes into the log sent, for as long as there is anything to send."""
        from statsig_fastly.events import DeliverySettings, EventDelivery
        from statsig_fastly.events.requests import event_metadata

        settings = DeliverySettings(
            url=LOG_EVENT_URL if options.log_event_url is None else options.log_event_url,
            sdk_key=sdk_key,
            metadata=event_metadata(self._session, options.service_name),
            flush_interval_ms=options.event_logging_flush_interval_ms,
            batch_size=options.event_logging_max_queue_size,
            max_pending_batches=options.event_logging_max_pending_batch_queue_size,
            # Made absolute, should the process go elsewhere.
            spool_dir=None if options.spool_dir is None else Path(options.spool_dir).absolute(),
            spool_max_bytes=options.spool_max_bytes,
            exit_timeout_ms=options.exit_timeout_ms,
        )
        delivery = EventDelivery(log, settings, _transport(options))
        log.on_waiting(delivery.notify)
        delivery.resume()
        return delivery

    def _shutdown(self, timeout: float | None) -> FlushResult:
        delivery = self._delivery
        self._sync.schedule.stop()
        sent = _nothing_sent() if delivery is None else delivery.shutdown(timeout or 0.0)
        self._sync.close()
        return sent


def _transport(options: StatsigOptions) -> Transport:
    if options.log_event_transport is None and sys.platform == "wasi":
        from statsig_fastly.compute.backend import BackendTransport

        return BackendTransport()  # a Compute service has no other way out
    return as_transport(options.log_event_transport)


def _event_log(options: StatsigOptions) -> EventLog:
    batch_size = options.event_logging_max_queue_size
    return EventLog(
        batch_size=batch_size,
        capacity=batch_size * options.event_logging_max_pending_batch_queue_size,
        dedupe_ms=_DEDUPE_MS,
        dedupe_keys=options.exposure_dedupe_max_keys,
    )


def _nothing_sent() -> FlushResult:
    from statsig_fastly.events import FlushResult

    return FlushResult(sent=0, pending=0, dropped=0)


def _seconds(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"argument 'timeout': expected a number of seconds, got {type(timeout).__name__}")
    if not timeout >= 0:
        # Python refuses to show very long numbers.
        shown = "less" if timeout < -threading.TIMEOUT_MAX else timeout
        raise ValueError(f"argument 'timeout': expected at least 0 s, got {shown}")
    return float(min(timeout, threading.TIMEOUT_MAX))
