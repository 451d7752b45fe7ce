"""Delivery with a spool: what could not be sent survives the process, and arrives once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from named_events import PATH, NamedEvents, arrived, balanced, delivery_to, drive, names
from statsig_fastly.emulator import Fault
from statsig_fastly.events import FlushResult, backlog, spool
from statsig_fastly.events.batches import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_client import StandingClock
    from statsig_fastly.emulator import Emulator
    from statsig_fastly.events.batches import EventBatch

TESTS = Path(__file__).parent

PRELUDE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from named_events import NamedEvents, arrived, balanced, delivery_to, names
log = NamedEvents()
delivery = delivery_to({url!r}, log, spool_dir=Path({directory!r}))
"""


def process(script: str, emulator: Emulator, directory: Path) -> subprocess.Popen[str]:
    prelude = PRELUDE.format(tests=str(TESTS), url=emulator.url, directory=str(directory))
    return subprocess.Popen(
        [sys.executable, "-c", prelude + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def spooled(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_batch_that_fails_leaves_memory_and_arrives_later(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path)
    emulator.fault(Fault(status=503, times=3))
    log.record(*names(0, 35))
    delivery.step()
    stats = balanced(delivery)
    assert (stats.pending, stats.spooled, stats.requests) == (35, 30, 1)  # five are too young
    assert len(spooled(tmp_path)) == 3
    assert delivery._backlog.held == 0
    drive(delivery, clock)
    stats = balanced(delivery)
    assert (stats.sent, stats.spooled, stats.dropped) == (35, 0, 0)
    assert arrived(emulator) == names(0, 35)
    retries = [request.headers["statsig-retry-count"] for request in emulator.log_event_requests]
    assert retries == ["3", "0", "0", "0"]
    assert spooled(tmp_path) == []


def test_no_flush_is_due_while_the_collector_is_left_alone(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path)
    emulator.fault(Fault(status=500))
    log.record(*names(0, 10))
    dues = [delivery.flush_due]
    wait = delivery.step()
    assert wait is not None
    log.record(*names(10, 20))  # in the log until the thread has spooled it
    dues.append(delivery.flush_due)
    clock.now += wait
    dues.append(delivery.flush_due)
    drive(delivery, clock)
    dues.append(delivery.flush_due)
    assert dues == [True, False, True, False]
    assert balanced(delivery).sent == 20


def test_young_events_are_spooled_when_they_get_old(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path, flush_interval_ms=5000)
    emulator.fault(Fault.too_many_requests(retry_after=600))
    log.record(*names(0, 13))
    assert delivery.step() == pytest.approx(5)
    clock.now += 5
    delivery.step()
    assert balanced(delivery).spooled == 13
    drive(delivery, clock)
    assert arrived(emulator) == names(0, 13)


def test_all_arrive_after_five_minutes_without_a_collector(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path, max_pending_batches=2)
    emulator.fault(Fault(status=500, times=None))
    began = clock.now
    for second in range(300):
        log.record(*names(3 * second, 3 * second + 3))
        clock.now = began + second
        delivery.step()
        assert delivery._backlog.held == 0
    assert balanced(delivery).pending == 900
    emulator.clear_faults()
    drive(delivery, clock)
    assert (balanced(delivery).sent, balanced(delivery).dropped) == (900, 0)
    assert Counter(arrived(emulator)) == Counter(names(0, 900))


def test_the_spool_is_bounded_and_counts_what_it_loses(
    emulator: Emulator, clock: StandingClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path, spool_max_bytes=2000)
    emulator.fault(Fault(status=500, times=None))
    for batch in range(20):
        log.record(*names(10 * batch, 10 * batch + 10))
        delivery.step()
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000
    lost = balanced(delivery).dropped_spool_full
    assert 0 < lost < 200
    emulator.clear_faults()
    drive(delivery, clock)
    assert balanced(delivery).sent == 200 - lost
    assert arrived(emulator) == names(lost, 200)
    said = [text for text in caplog.messages if "the spool is full" in text]
    assert sum(int(text.split()[0]) for text in said) == lost
    assert len(said) == 2  # at once, and the rest after a minute


def test_many_files_are_sent_without_looking_for_each(
    emulator: Emulator, clock: StandingClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path)
    emulator.fault(Fault(status=500, times=None))
    for number in range(50):
        log.record(*names(10 * number, 10 * number + 10))
        delivery.step()
    assert len(list(tmp_path.iterdir())) == 50
    emulator.clear_faults()
    looks: list[str] = []

    def look(path: str) -> object:
        looks.append(path)
        return scan(path)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", look)
    drive(delivery, clock)
    assert arrived(emulator) == names(0, 500)
    assert len(looks) < 10


def test_without_a_directory_to_write_to_events_stay_in_memory(
    emulator: Emulator, clock: StandingClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path / "file" / "spool")
    emulator.fault(Fault(status=500, times=3))
    log.record(*names(0, 25))
    drive(delivery, clock)
    stats = balanced(delivery)
    assert (stats.sent, stats.spooled) == (25, 0)
    assert arrived(emulator) == names(0, 25)
    assert sum("memory" in text for text in caplog.messages) == 1


def test_a_spooled_batch_that_is_too_large_is_halved(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path)
    emulator.fault(Fault(status=500))
    emulator.fault(Fault(status=413, times=3))
    log.record(*names(0, 10))
    drive(delivery, clock)
    assert sorted(arrived(emulator)) == sorted(names(0, 10))
    assert len(emulator.log_event_requests) > 2
    assert balanced(delivery).sent == 10
    assert spooled(tmp_path) == []


def test_shutdown_spools_what_it_cannot_send_and_the_next_process_sends_it(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, spool_dir=tmp_path)
    emulator.fault(Fault(status=500, delay=3600, times=None))
    log.record(*names(0, 25))
    assert delivery.shutdown(0.3) == FlushResult(0, 25, 0)
    stats = balanced(delivery)
    assert (stats.spooled, stats.dropped) == (25, 0)
    assert len(spooled(tmp_path)) == 3
    emulator.clear_faults()

    heir = delivery_to(emulator.url, NamedEvents(), clock=clock, spool_dir=tmp_path)
    assert heir.flush(10) == FlushResult(0, 0, 0)
    stats = balanced(heir)
    assert (stats.sent, stats.sent_for_others, stats.pending) == (0, 25, 0)
    assert sorted(arrived(emulator)) == sorted(names(0, 25))
    heir.shutdown(0)


def test_a_new_client_sends_what_it_finds(emulator: Emulator, tmp_path: Path) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, spool_dir=tmp_path)
    log.record(*names(0, 5))
    emulator.fault(Fault(status=500, times=2))
    delivery.flush(10)
    assert delivery.shutdown(0).pending == 5
    heir = delivery_to(emulator.url, NamedEvents(), spool_dir=tmp_path)
    heir.resume()  # and it tries again although no event of its own wakes it
    emulator.wait_for_log_events(1, timeout=30)
    assert arrived(emulator) == names(0, 5)
    heir.shutdown(10)
    delivery.flush(10)
    assert balanced(delivery).taken_by_others == 5
    delivery.shutdown(10)


@pytest.mark.parametrize("own", [False, True])
def test_a_file_that_cannot_be_opened_now_is_sent_later(
    emulator: Emulator, clock: StandingClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path)
    emulator.fault(Fault(status=500))
    log.record(*names(0, 10))
    delivery.step()
    assert len(spooled(tmp_path)) == 1
    if not own:
        delivery = delivery_to(emulator.url, NamedEvents(), clock=clock, spool_dir=tmp_path)
    clock.now += 60

    def too_many_files(_: Path) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "open_existing", too_many_files)
        assert delivery.step() == pytest.approx(60)
    drive(delivery, clock)
    assert arrived(emulator) == names(0, 10)
    stats = balanced(delivery)
    assert (stats.sent, stats.sent_for_others) == ((10, 0) if own else (0, 10))


def test_two_processes_never_send_one_batch_twice(emulator: Emulator, tmp_path: Path) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, spool_dir=tmp_path)
    emulator.fault(Fault(status=500, times=None))
    log.record(*names(0, 600))
    delivery.shutdown(10)
    assert len(spooled(tmp_path)) == 60
    emulator.clear_faults()
    script = """
print("ready", flush=True)
sys.stdin.readline()
delivery.flush(30)
print(balanced(delivery).sent_for_others, flush=True)
"""
    workers = [process(script, emulator, tmp_path) for _ in range(2)]
    sent = 0
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        sent += int(worker.communicate(timeout=60)[0])
    assert sent == 600
    assert Counter(arrived(emulator)) == Counter(names(0, 600))
    assert spooled(tmp_path) == []
    delivery.flush(10)
    assert balanced(delivery).taken_by_others == 600


def test_what_was_written_survives_a_kill(emulator: Emulator, clock: StandingClock, tmp_path: Path) -> None:
    emulator.fault(Fault(status=500, times=None))
    script = """
log.record(*names(0, 25))
print(delivery.flush(30), flush=True)
sys.stdin.read()
"""
    with process(script, emulator, tmp_path) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "FlushResult(sent=0, pending=25, dropped=0)\n"
        worker.kill()
    emulator.clear_faults()
    heir = delivery_to(emulator.url, NamedEvents(), clock=clock, spool_dir=tmp_path)
    drive(heir, clock)
    assert sorted(arrived(emulator)) == sorted(names(0, 25))
    assert balanced(heir).sent_for_others == 25


def test_a_process_that_is_killed_while_sending_leaves_nothing_stuck(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    emulator.fault(Fault(status=500))
    emulator.fault(Fault(status=500, delay=3600))
    script = """
log.record(*names(0, 5))
delivery.flush(30)
delivery.flush(30)
"""
    with process(script, emulator, tmp_path) as worker:
        emulator.wait_for_requests(2, timeout=30)  # the second one hangs, with the file claimed
        heir = delivery_to(emulator.url, NamedEvents(), clock=clock, spool_dir=tmp_path)
        assert heir.step() is None
        assert arrived(emulator) == []
        worker.kill()
    assert heir.step() is None
    assert arrived(emulator) == names(0, 5)
    assert spooled(tmp_path) == []


def test_an_answer_that_comes_after_the_shutdown_counts(emulator: Emulator, tmp_path: Path) -> None:
    for directory in (None, tmp_path):
        log = NamedEvents()
        delivery = delivery_to(emulator.url, log, spool_dir=directory)
        emulator.fault(Fault(path=PATH, delay=0.5))
        log.record(*names(0, 5))
        result = delivery.shutdown(0.2)
        assert result == (FlushResult(0, 0, 5) if directory is None else FlushResult(0, 5, 0))
        with delivery._turn:  # until the request is over
            stats = balanced(delivery)
        assert (stats.sent, stats.dropped, stats.pending) == (5, 0, 0)
    assert spooled(tmp_path) == []
    assert arrived(emulator) == names(0, 5) * 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything is writable here")
def test_a_directory_that_may_not_be_written(
    emulator: Emulator, clock: StandingClock, tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, spool_dir=tmp_path)
    emulator.fault(Fault(status=500))
    log.record(*names(0, 10))
    drive(delivery, clock)
    assert balanced(delivery).sent == 10


def test_a_batch_that_is_being_packed_is_not_spooled_before_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = NamedEvents()
    delivery = delivery_to("http://127.0.0.1:9", log, spool_dir=tmp_path)
    packing, go_on = threading.Event(), threading.Event()

    def slowly(events: EventBatch, metadata: Mapping[str, object], *, compress: bool) -> bytes:
        packing.set()
        assert go_on.wait(30)
        return encoded(events, metadata, compress=compress)

    monkeypatch.setattr(backlog, "encoded", slowly)
    log.record(*names(0, 5))
    flush = threading.Thread(target=delivery.flush, args=(30,))
    shutdown = threading.Thread(target=delivery.shutdown, args=(0.05,))
    flush.start()
    assert packing.wait(30)
    assert list(delivery._backlog.waiting((), with_demoted=True)) == []
    shutdown.start()
    shutdown.join(0.5)  # as long as it may take where nothing waits for the batch
    go_on.set()
    for thread in (flush, shutdown):
        thread.join(30)
    assert all(path.stat().st_size > 0 for path in tmp_path.glob("*.batch"))
    assert balanced(delivery).pending == 5
