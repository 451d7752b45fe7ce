"""Signal handlers that shut a client down, or raise, in the middle of whatever the client does."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from interruptions import each_place, in_time, interrupted
from programs import run
from scripted_adapter import PATIENCE, ScriptedAdapter
from small_project import payload
from statsig_fastly import Completion, Statsig, StatsigOptions, client, completion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from event_sink import EventSink
    from statsig_fastly.events import FlushResult

HANGS = 120.0  # seconds for a few hundred clients
CALLS: dict[str, Callable[[Statsig], object]] = {
    "initialize": Statsig.initialize,
    "sync": Statsig.sync,
    "flush": Statsig.flush,
    "shutdown": Statsig.shutdown,
    "initialize and wait": lambda statsig: statsig.initialize().wait(PATIENCE),
    "shutdown and wait": lambda statsig: statsig.shutdown().wait(PATIENCE),
}


class Interrupt(BaseException):
    """What a handler raises here."""


def made() -> tuple[Statsig, ScriptedAdapter]:
    adapter = ScriptedAdapter(payload())
    return Statsig("secret-key", StatsigOptions(data_adapter=adapter, disable_all_logging=True)), adapter


@pytest.mark.parametrize("call", CALLS)
def test_a_handler_shuts_down_and_waits_wherever_it_comes(call: str) -> None:
    def test(place: int) -> bool:
        statsig, adapter = made()
        stops: list[Completion[FlushResult]] = []

        def handler() -> None:
            stops.append(statsig.shutdown())
            assert stops[0].wait(PATIENCE), f"interrupted at {place}: it does not end"

        reached = False
        with suppress(RuntimeError):  # it was shut down before it could begin
            reached = interrupted(
                lambda: CALLS[call](statsig), handler, [client, completion, threading], place
            )
        reached = reached or bool(stops)
        stops.append(statsig.shutdown())
        assert stops[-1].wait(PATIENCE)
        assert len(set(map(id, stops))) == 1
        assert adapter.closed == 1
        return reached

    in_time(lambda: _expect_many(each_place(test)), HANGS)


def _expect_many(places: int) -> None:
    assert places > 50


@pytest.mark.parametrize("call", ["shutdown", "shutdown and wait"])
def test_a_shutdown_that_is_interrupted_can_be_asked_for_again(call: str) -> None:
    def handler() -> None:
        raise Interrupt

    def test(place: int) -> bool:
        statsig, adapter = made()
        reached = True
        with suppress(Interrupt):
            reached = interrupted(lambda: CALLS[call](statsig), handler, [client, completion], place)
        stop = statsig.shutdown()
        assert stop.wait(PATIENCE), f"interrupted at {place}: it does not end"
        assert statsig.shutdown() is stop
        assert adapter.closed == 1
        with pytest.raises(RuntimeError, match="shut down"):
            statsig.initialize()
        return reached

    in_time(lambda: _expect_many(each_place(test)), HANGS)


def test_a_shutdown_that_finds_no_thread_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    statsig, adapter = made()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start"):
        statsig.shutdown()
    monkeypatch.undo()
    assert statsig.shutdown().wait(PATIENCE)
    assert adapter.closed == 1


SIGNALLED = """
import itertools
from small_project import payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions
import dataclasses, program_client

stops = []

def handler(*_):
    stop = made.shutdown(30)
    assert stop.wait(60)
    stops.append(stop)

signal.signal(signal.SIGALRM, handler)
sent = 0
for number in range(150):
    made = Statsig("secret-key", program_client.options)
    made.log_event("u-1", f"event {number}")
    signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + number % 50))
    try:
        made.initialize().wait(60)
        made.sync().wait(60)
        made.flush().wait(60)
    except RuntimeError:
        pass  # it was shut down already
    stop = made.shutdown(30)
    assert stop.wait(60)
    while len(stops) <= number:
        pass
    assert stops[-1] is stop
    assert made.stats().events.sent == 1, made.stats()
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_real_signals_at_any_time(tmp_path: Path, collector: EventSink) -> None:
    ran = run(tmp_path, SIGNALLED, collector.url)
    assert (ran.returncode, ran.stderr) == (0, "")
