"""The end of processes and forks, each in a real process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from named_events import arrived, names
from statsig_fastly.emulator import Fault

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator

TESTS = Path(__file__).parent

PRELUDE = """
import atexit, multiprocessing, os, signal, sys, threading
sys.path.insert(0, {tests!r})
from named_events import NamedEvents, balanced, delivery_to, names

def at_the_very_end():
    print(delivery.stats(), flush=True)

atexit.register(at_the_very_end)  # runs after what is registered later
log = NamedEvents()
delivery = delivery_to({url!r}, log, exit_timeout_ms={exit_timeout_ms})
log.on_waiting(delivery.notify)
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def script(tmp_path: Path, emulator: Emulator, body: str, *, exit_timeout_ms: int = 20_000) -> Path:
    """A program; a file, because a spawned child imports it."""
    path = tmp_path / "program.py"
    prelude = PRELUDE.format(tests=str(TESTS), url=emulator.url, exit_timeout_ms=exit_timeout_ms)
    path.write_text(prelude + body, encoding="utf-8")
    return path


def run(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False
    )


ENDS = {
    "normally": ("", 0),
    "with an exception": ("raise ValueError('on purpose')", 1),
    "with sys.exit": ("sys.exit(3)", 3),
    "with sys.exit in a handler of SIGTERM": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(4)); os.kill(os.getpid(), signal.SIGTERM)",
        4,
    ),
    "after a shutdown": ("delivery.shutdown(20); log.record('late')", 0),
    "while another thread goes on": (
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        0,
    ),
    "with events recorded at exit": ("atexit.register(log.record, 'late')", 0),
    "without its client": ("del log; delivery = None; at_the_very_end = lambda: None", 0),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_ends_sends_what_it_holds(emulator: Emulator, tmp_path: Path, end: str) -> None:
    body, code = ENDS[end]
    ran = run(script(tmp_path, emulator, f"log.record(*names(0, 25))\n{body}\n"))
    assert ran.returncode == code, ran.stderr
    late = ["late"] if "late" in body else []
    assert Counter(arrived(emulator)) == Counter([*names(0, 25), *late])


def test_the_exit_does_not_wait_for_a_collector_that_hangs(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault(Fault(status=500, delay=3600, times=None))
    body = """
other_log = NamedEvents()
other = delivery_to(delivery._settings.url.removesuffix("/v1/log_event"), other_log, exit_timeout_ms=1000)
delivery._load()  # what it imports is not what takes the time
log.record(*names(0, 25))
other_log.record(*names(25, 30))
"""
    ran = run(script(tmp_path, emulator, body, exit_timeout_ms=1000))
    assert ran.returncode == 0
    lost = "events could not be sent within the time to shut down, and are lost"
    assert sorted(ran.stderr.splitlines()) == [f"25 {lost}", f"5 {lost}"]
    assert "dropped_at_exit=25" in ran.stdout
    # Both began at once: the one that hangs did not use up the time of the other.
    assert len(emulator.wait_for_requests(2)) == 2


def test_a_killed_process_loses_what_was_in_memory_and_only_that(emulator: Emulator, tmp_path: Path) -> None:
    body = """
log.record(*names(0, 20))
delivery.flush(30)
log.record(*names(20, 25))
os._exit(5)
"""
    assert run(script(tmp_path, emulator, body)).returncode == 5
    assert arrived(emulator) == names(0, 20)


@needs_fork
def test_events_of_before_a_fork_are_sent_once_by_the_parent(emulator: Emulator, tmp_path: Path) -> None:
    body = """
log.record(*names(0, 10))
delivery.flush(30)  # the thread runs and holds connections
log.record(*names(10, 15))
child = os.fork()
if not child:
    assert len(log) == 0 and delivery.stats().recorded == 0, delivery.stats()
    log.record(*names(100, 125))
    result = delivery.flush(30)
    assert (result.sent, result.pending) == (25, 0), result
    log.record("child at exit")
    sys.exit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
log.record("parent")
"""
    ran = run(script(tmp_path, emulator, body))
    assert ran.returncode == 0, ran.stderr
    expected = [*names(0, 15), *names(100, 125), "child at exit", "parent"]
    assert Counter(arrived(emulator)) == Counter(expected)


@needs_fork
def test_a_fork_while_everything_is_busy(emulator: Emulator, tmp_path: Path) -> None:
    body = """
stop = threading.Event()
def record():
    number = 0
    while not stop.is_set() or not number:
        log.record(*(f"busy-{number}" for _ in range(7)))
        number += 7
        delivery.flush(10)
    busy.append(number)
busy = []
threads = [threading.Thread(target=record, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for number in range(10):
    child = os.fork()
    if not child:
        log.record(f"child-{number}")
        os._exit(0 if delivery.shutdown(30).sent == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
delivery.shutdown(30)
assert balanced(delivery).sent == sum(busy), (delivery.stats(), busy)
"""
    ran = run(script(tmp_path, emulator, body))
    assert ran.returncode == 0, ran.stderr
    times = Counter(arrived(emulator))
    assert {f"child-{number}": 1 for number in range(10)}.items() <= times.items()


@needs_fork
def test_a_preloaded_client_and_workers_that_are_stopped_with_sigterm(
    emulator: Emulator, tmp_path: Path
) -> None:
    body = """
log.record("master before")
workers = []
for number in range(2):
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        log.record(f"worker-{number}")
        os.write(told, b"!")
        threading.Event().wait(60)
        os._exit(9)
    os.read(ready, 1)
    workers.append(child)
for child in workers:
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == 0
log.record("master after")
"""
    ran = run(script(tmp_path, emulator, body))
    assert ran.returncode == 0, ran.stderr
    expected = ["master before", "worker-0", "worker-1", "master after"]
    assert Counter(arrived(emulator)) == Counter(expected)


MULTIPROCESSING = """
def work(number):
    log.record(f"child-{{number}}")

def work_in_many_threads(number):
    for thread in [threading.Thread(target=work, args=(f"{{number}}-{{index}}",)) for index in range(3)]:
        thread.start()

if __name__ == "__main__":
    log.record("parent before")
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=work, args=(number,)) for number in range(2)]
    children.append(context.Process(target=work_in_many_threads, args=(2,)))
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    with context.Pool(2) as pool:
        pool.map(work, range(10, 20))
        pool.close()
        pool.join()
    log.record("parent after")
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_send_at_their_end(emulator: Emulator, tmp_path: Path, method: str) -> None:
    if os.name != "posix" and method != "spawn":
        pytest.skip("only spawn here")
    ran = run(script(tmp_path, emulator, MULTIPROCESSING.format(method=method)))
    assert ran.returncode == 0, ran.stderr
    children = [*(str(number) for number in [0, 1, *range(10, 20)]), "2-0", "2-1", "2-2"]
    expected = ["parent before", "parent after", *(f"child-{child}" for child in children)]
    assert Counter(arrived(emulator)) == Counter(expected)


def test_many_starts_and_ends(emulator: Emulator, tmp_path: Path) -> None:
    path = script(tmp_path, emulator, "log.record(sys.argv[1])\n")
    for number in range(10):
        ran = subprocess.run(
            [sys.executable, str(path), f"run-{number}"], capture_output=True, timeout=60, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, b"")
    assert arrived(emulator) == [f"run-{number}" for number in range(10)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_fork_in_a_child_of_a_child(emulator: Emulator, tmp_path: Path) -> None:
    body = """
log.record("parent")
for depth in range(3):
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        sys.exit(os.waitstatus_to_exitcode(status))
    log.record(f"depth-{depth}")
"""
    ran = run(script(tmp_path, emulator, body))
    assert ran.returncode == 0, ran.stderr
    assert Counter(arrived(emulator)) == Counter(["parent", "depth-0", "depth-1", "depth-2"])
