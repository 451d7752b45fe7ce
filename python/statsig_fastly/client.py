"""The client: an evaluator that loads its ruleset from an adapter."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from statsig_fastly._native import EventLog
from statsig_fastly.adapters import Payload
from statsig_fastly.completion import Completion
from statsig_fastly.details import FailureDetails, InitializeDetails, Stats, SyncDetails
from statsig_fastly.errors import AdapterError, PayloadError, StatsigFastlyError, described
from statsig_fastly.local_overrides import LocalOverrides
from statsig_fastly.options import StatsigOptions
from statsig_fastly.persistent_storage import StorageCalls
from statsig_fastly.transport import as_transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.events import EventDelivery, FlushResult
    from statsig_fastly.explain import CheckKind, Explanation

__all__ = ["Statsig"]

_log = logging.getLogger("statsig_fastly")

LOG_EVENT_URL = "https://prodregistryv2.org/v1/log_event"
"""Where Statsig takes events."""

SHUTDOWN_TIMEOUT_S = 3.0
"""For how long `shutdown` goes on sending events, in seconds, unless it is told."""

# For how long an exposure is not repeated.
_DEDUPE_MS = 60_000

# A payload with very many broken specs must not flood the log.
_ISSUES_LOGGED = 10


class Statsig(LocalOverrides):
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
    _held_version: str | None
    _source: str
    _reported: str | None
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
        statsig._held_version = None
        statsig._source = "NoValues"
        statsig._reported = None
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
        """Loads the ruleset: from the adapter, else from `bootstrap`.

        Returns at once. The completion is done when a ruleset is in use, when nothing more can be
        tried, or after `init_timeout_ms`. It does not fail: see `InitializeDetails`. While a start is
        under way, and after one that succeeded, further calls return the same completion.

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
        return details if details is not None else self._describe(0, None)

    def is_initialized(self) -> bool:
        """True if a ruleset is loaded: the same as `is_ready`, under the official package's name."""
        return self.is_ready

    def sync(self) -> Completion[SyncDetails]:
        """Looks once whether the adapter has something newer, and uses it.

        Returns at once; the ruleset in use stays until a newer one is compiled.

        Raises:
            RuntimeError: `shutdown` was called, or there is no adapter.
        """
        with self._locked():
            self._check_open()
        adapter = self._options.data_adapter
        if adapter is None:
            raise RuntimeError("there is no data_adapter to sync with: set StatsigOptions.data_adapter")
        return Completion.run(lambda: self._report(self._sync(adapter)), name="statsig-fastly-sync")

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
        """Numbers about this client: what became of its events."""
        return Stats(events=None if self._delivery is None else self._delivery.stats())

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
        adapter = self._options.data_adapter
        return (
            f"Statsig(adapter={adapter.name if adapter is not None else None!r}, source={self._source!r}, "
            f"config_time={self.config_time})"
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
        failure = self._initialize_from_adapter()
        if not self.is_ready and self._options.bootstrap is not None:
            failure = self._initialize_from_bootstrap() or failure
        self._mark_started()
        if failure is not None:
            started_with = self._source if self.is_ready else "nothing loaded"
            _log.warning("Statsig started with %s: %s", started_with, failure.reason)
        self._details = self._describe(round((time.monotonic() - started) * 1000), failure)
        return self._details

    def _initialize_from_adapter(self) -> FailureDetails | None:
        adapter = self._options.data_adapter
        if adapter is None:
            if self._options.bootstrap is None:
                return FailureDetails(
                    "there is nothing to load: set StatsigOptions.data_adapter or bootstrap"
                )
            return None
        sync = Completion.run(lambda: self._sync(adapter), name="statsig-fastly-sync")
        timeout_ms = self._options.init_timeout_ms
        if not sync.wait(timeout_ms / 1000):
            sync.add_done_callback(lambda late: self._report(late.result()))
            return FailureDetails(
                f"{adapter.name} did not answer within {timeout_ms} ms; it is still being asked"
            )
        error = sync.result().error
        self._reported = None if error is None else str(error)
        return None if error is None else FailureDetails(str(error), type(error).__name__)

    def _initialize_from_bootstrap(self) -> FailureDetails | None:
        bootstrap = self._options.bootstrap or b""
        body = bootstrap.encode() if isinstance(bootstrap, str) else bootstrap
        try:
            self._use(body, "Bootstrap", "bootstrap")
        except PayloadError as error:
            return FailureDetails(str(error), type(error).__name__)
        return None

    def _describe(self, duration_ms: int, failure: FailureDetails | None) -> InitializeDetails:
        ready = self.is_ready
        return InitializeDetails(duration_ms, ready, ready, None, self._source, failure)

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
            spool_dir=None if options.spool_dir is None else Path(options.spool_dir),
            spool_max_bytes=options.spool_max_bytes,
            exit_timeout_ms=options.exit_timeout_ms,
        )
        delivery = EventDelivery(log, settings, as_transport(options.log_event_transport))
        log.on_waiting(delivery.notify)
        delivery.resume()
        return delivery

    def _shutdown(self, timeout: float | None) -> FlushResult:
        delivery = self._delivery
        sent = _nothing_sent() if delivery is None else delivery.shutdown(timeout or 0.0)
        adapter = self._options.data_adapter
        try:
            if adapter is not None:
                adapter.close()
        except BaseException as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
            _log.warning("closing %s failed: %s", adapter, described(error))
        return sent

    def _sync(self, adapter: SpecAdapter) -> SyncDetails:
        changed = False
        error: StatsigFastlyError | None = None
        try:
            payload: object = adapter.fetch(self._held_version)
            if isinstance(payload, Payload):
                outcome = self._use(payload.body, f"Adapter({adapter.name})", repr(adapter))
                changed = outcome == "applied"
                if outcome != "older":
                    self._held_version = payload.version
            elif payload is not None:
                found = type(payload).__name__
                error = AdapterError(f"{adapter.name}: expected a Payload or None from fetch, got {found}")
            elif not self.is_ready:
                error = AdapterError(f"{adapter.name} says that nothing is new, and there is nothing in use")
        except (AdapterError, PayloadError) as caught:
            error = caught
        except BaseException as caught:  # an adapter of the user's own may raise anything  # noqa: BLE001
            error = AdapterError(f"{adapter.name} raised {described(caught)}")
        return SyncDetails(changed, self.config_time, error)

    def _report(self, details: SyncDetails) -> SyncDetails:
        """Logs a failure once, and again only when its cause has changed."""
        text = None if details.error is None else str(details.error)
        if text != self._reported:
            self._reported = text
            if text is None:
                _log.info("Statsig can be synced again")
            else:
                _log.warning("Statsig could not be synced: %s", text)
        return details

    def _use(self, body: bytes, source: str, origin: str) -> str:
        """Loads a payload. The outcome is that of `Evaluator._load`."""
        try:
            outcome = self._load(body, source)
        except PayloadError as error:
            raise PayloadError(f"{origin}: {error}") from None
        if outcome == "no updates" and not self.is_ready:
            expected = "payload field `has_updates` is false: expected a whole project, got an empty update"
            raise PayloadError(f"{origin}: {expected}")
        if outcome == "applied":
            self._source = source
            issues = self._issues()
            for kind, name, message in issues[:_ISSUES_LOGGED]:
                _log.warning("%s %r: %s", kind, name, message)
            if len(issues) > _ISSUES_LOGGED:
                _log.warning("the payload has %d more faults", len(issues) - _ISSUES_LOGGED)
        return outcome


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
