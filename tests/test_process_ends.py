"""Events at the end of a process, in whatever way it ends, and around forks: each a real process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from event_sink import EventSink
from loopback import Listener
from programs import PATIENCE, arrived, environment, run, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loopback import Peer

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
needs_signals = pytest.mark.skipif(os.name == "nt", reason="this system cannot send SIGTERM")

# Newer Pythons warn of every fork of a process that has had threads.
FORKING = ("-W", "ignore::DeprecationWarning")


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


# Ends

SIGTERM_HANDLED = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
# Not `signal.pause()`: a signal that comes just before it is not noticed until there is another.
WAITING = "while True: threading.Event().wait(0.1)"

# What a program does after its first event, its exit status, and what comes besides that event.
ENDS = {
    "normal": ("", 0, []),
    "exception": ("raise ValueError('on purpose')", 1, []),
    "sys.exit": ("sys.exit(3)", 3, []),
    "sys.exit with a message": ("sys.exit('the end')", 1, []),
    "threads go on": (
        """
def record():
    threading.main_thread().join()
    statsig.log_event("u-1", "late")
threading.Thread(target=record).start()
threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
        0,
        ["late"],
    ),
    "after shutdown": (
        "statsig.shutdown().wait()\nstatsig.log_event('u-1', 'late')",
        0,
        ["late"],
    ),
    "in an exit handler": (
        "import atexit\natexit.register(statsig.log_event, 'u-1', 'late')",
        0,
        ["late"],
    ),
    "no reference left": ("import program_client\ndel statsig, program_client.statsig", 0, []),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_ends_sends_what_it_holds(tmp_path: Path, sink: EventSink, end: str) -> None:
    program, status, late = ENDS[end]
    ran = run(tmp_path, f"statsig.log_event('u-1', 'first')\n{program}", sink.url)
    assert ran.returncode == status, ran.stderr
    assert arrived(sink) == Counter(["first", *late])


def test_exit_handlers_may_flush_sync_and_shut_down(tmp_path: Path, sink: EventSink) -> None:
    program = """
import atexit
from program_client import adapter
from small_project import TIME, payload

def at_exit():
    statsig.log_event("u-1", "late")
    adapter.update(payload(TIME + 1, 2))
    print(statsig.sync().result(60).changed, statsig.flush().result(60), statsig.shutdown().result(60))

atexit.register(at_exit)
"""
    ran = run(tmp_path, program, sink.url)
    results = [f"FlushResult(sent={sent}, pending=0, dropped=0)" for sent in (1, 0)]
    assert (ran.stdout, ran.stderr) == (f"True {' '.join(results)}\n", "")
    assert arrived(sink) == Counter(["late"])


@pytest.mark.parametrize("flush", ["", "statsig.flush().wait()"])
def test_an_exit_handler_of_before_the_client(tmp_path: Path, sink: EventSink, flush: str) -> None:
    early = f"""
import atexit
@atexit.register
def late():
    statsig.log_event("u-1", "late")
    {flush}
"""
    ran = run(tmp_path, "statsig.log_event('u-1', 'first')", sink.url, first=early)
    assert ran.returncode == 0
    assert arrived(sink) == Counter(["first", "late"] if flush else ["first"])
    assert "events are recorded after the end of this process" in ran.stderr


def test_events_that_come_while_the_last_are_being_sent(tmp_path: Path, sink: EventSink) -> None:
    program = """
import dataclasses
from program_client import options
from statsig_fastly import Statsig
from statsig_fastly.transport import HttpTransport

class Telling(HttpTransport):
    def send(self, request):
        while not statsig._delivery._shut:  # the first client has sent its events
            threading.Event().wait(0.01)
        statsig.log_event("u-1", "told")
        return super().send(request)

later = options.exit_timeout_ms + 1
more = dataclasses.replace(options, exit_timeout_ms=later, log_event_transport=Telling())
other = Statsig("secret-key", more)
statsig.log_event("u-1", "first")
other.log_event("u-1", "second")
"""
    ran = run(tmp_path, program, sink.url)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert arrived(sink) == Counter(["first", "second", "told"])


@needs_signals
@pytest.mark.parametrize(
    "wait", ["threading.Event().wait()", WAITING, "while True: statsig.check_gate('u-1', 'on')"]
)
def test_sigterm_with_a_handler_that_exits(tmp_path: Path, sink: EventSink, wait: str) -> None:
    program = f"{SIGTERM_HANDLED}statsig.log_event('u-1', 'first')\nprint('ready', flush=True)\n{wait}\n"
    with subprocess.Popen(
        [sys.executable, str(write(tmp_path, program))],
        env=environment(sink.url),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(PATIENCE) == 143
    assert arrived(sink) == Counter(["first"])


@needs_signals
def test_ctrl_c(tmp_path: Path, sink: EventSink) -> None:
    # Where the tests run in the background of a shell, Ctrl-C is ignored unless it is asked for.
    heeded = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program = f"{heeded}statsig.log_event('u-1', 'first')\nos.kill(os.getpid(), signal.SIGINT)\n{WAITING}"
    ran = run(tmp_path, program, sink.url)
    # Not the status: Python forgets that it was Ctrl-C when an exit handler imports a module.
    assert ran.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert arrived(sink) == Counter(["first"])


LOST = {
    "os._exit": ("os._exit(4)", 4),
    "SIGTERM as Python leaves it": (f"os.kill(os.getpid(), signal.SIGTERM)\n{WAITING}", -15),
    "SIGKILL": (f"os.kill(os.getpid(), signal.SIGKILL)\n{WAITING}", -9),
}


@needs_signals
@pytest.mark.parametrize("end", LOST)
def test_what_is_lost_where_python_is_not_told(tmp_path: Path, sink: EventSink, end: str) -> None:
    program, status = LOST[end]
    sent = "statsig.log_event('u-1', 'sent')\nassert statsig.flush().result().sent == 1\n"
    ran = run(tmp_path, f"{sent}statsig.log_event('u-1', 'held')\n{program}", sink.url)
    assert ran.returncode == status, ran.stderr
    assert arrived(sink) == Counter(["sent"])


@needs_signals
def test_a_spool_keeps_what_could_not_be_sent_for_the_next_process(tmp_path: Path, sink: EventSink) -> None:
    with EventSink() as closed:
        nobody = closed.url
    begin = f"""
import dataclasses
from program_client import options
from statsig_fastly import Statsig
statsig = Statsig("secret-key", dataclasses.replace(options, spool_dir={str(tmp_path / "spool")!r}))
"""
    killed = """
statsig.log_event("u-1", "kept")
assert statsig.flush().result().pending == statsig.stats().events.spooled == 1
os.kill(os.getpid(), signal.SIGKILL)
signal.pause()
"""
    assert run(tmp_path, begin + killed, nobody).returncode == -9
    ran = run(tmp_path, f"{begin}statsig.flush().wait()", sink.url)
    assert ran.returncode == 0, ran.stderr
    assert arrived(sink) == Counter(["kept"])


def test_a_collector_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    asked = threading.Event()

    def hang(peer: Peer) -> None:
        peer.request()
        asked.set()
        peer.stay_silent()

    program = """
for n in range(25):
    statsig.log_event("u-1", f"event-{n}")
statsig.flush()
sys.stdin.read()
"""
    with (
        Listener(hang) as listener,
        subprocess.Popen(
            [sys.executable, str(write(tmp_path, program))],
            env=environment(f"{listener.url}/v1/log_event", EXIT_TIMEOUT_MS="300"),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert asked.wait(PATIENCE)  # while the program goes on: its last 300 ms may be too short for that
        # Less than a request takes that nobody answers: it is the end's own limit that ended it.
        _, said = process.communicate(timeout=9)
    assert process.returncode == 0
    assert re.search(r"^25 events .* lost", said, re.MULTILINE), said


# Forks

CHILD_ENDS = {
    "normal": ("", 0),
    "sys.exit": ("sys.exit(5)", 5),
    "exception": ("raise ValueError('on purpose')", 1),
    "SIGTERM": (f"{SIGTERM_HANDLED}os.kill(os.getpid(), signal.SIGTERM)\n    {WAITING}", 143),
}


@needs_fork
@pytest.mark.parametrize("end", CHILD_ENDS)
def test_a_forked_child_sends_its_own_at_its_end(tmp_path: Path, sink: EventSink, end: str) -> None:
    program, status = CHILD_ENDS[end]
    program = program.replace("\n", "\n    ", 1) if end == "SIGTERM" else program
    ran = run(
        tmp_path,
        f"""
statsig.log_event("u-1", "sent before")
assert statsig.flush().result().sent == 1  # the thread runs, and holds a connection
statsig.log_event("u-1", "before")
child = os.fork()
if child == 0:
    assert statsig.stats().events.pending == 0
    statsig.log_event("u-1", "child")
    {program}
else:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == {status}
    statsig.log_event("u-1", "after")
    assert statsig.flush().result().sent == 2
    statsig.log_event("u-1", "at the end")
""",
        sink.url,
        *FORKING,
    )
    assert ran.returncode == 0, ran.stderr
    assert arrived(sink) == Counter(["sent before", "before", "child", "after", "at the end"])


@needs_fork
def test_a_fork_while_the_client_shuts_down(tmp_path: Path, sink: EventSink) -> None:
    program = """
import dataclasses
from program_client import options
from statsig_fastly import Statsig
from statsig_fastly.transport import HttpTransport

class Held(HttpTransport):
    def send(self, request):
        if os.getpid() == parent:
            sending.set()
            assert forked.wait(60)
        return super().send(request)

parent, sending, forked = os.getpid(), threading.Event(), threading.Event()
pairs = dataclasses.replace(options, log_event_transport=Held(), event_logging_max_queue_size=2)
statsig = Statsig("secret-key", pairs)
statsig.log_event("u-1", "parent")
ended = statsig.shutdown(60)
assert sending.wait(60)
if os.fork() == 0:
    statsig.log_event("u-1", "child")
    statsig.log_event("u-1", "child")  # a whole batch
    while statsig.stats().events.pending:
        threading.Event().wait(0.01)
    os._exit(0)
_, status = os.wait()
forked.set()
print(status, ended.result(60))
"""
    ran = run(tmp_path, program, sink.url, *FORKING)
    assert ran.stdout == "0 FlushResult(sent=1, pending=0, dropped=0)\n", ran.stderr
    assert arrived(sink) == Counter(["parent", "child", "child"])


@needs_fork
def test_the_parent_goes_on_syncing_and_sending_after_forks(tmp_path: Path, sink: EventSink) -> None:
    ran = run(
        tmp_path,
        """
from program_client import adapter
from small_project import TIME, payload

def number():
    return statsig.get_dynamic_config("u-1", "number")["a"]

for n in range(2, 12):
    child = os.fork()
    if child == 0:
        # The child has the parent's ruleset, and is given a newer one than the parent has.
        assert number() == n - 1
        adapter.update(payload(TIME + 100 * n, 100 * n))
        assert statsig.sync().result(60).changed
        assert number() == 100 * n
        statsig.log_event("u-1", f"child {n}")
        sys.exit(0)
    adapter.update(payload(TIME + n, n))
    assert statsig.sync().result(60).changed
    assert number() == n
    statsig.log_event("u-1", f"parent {n}")
    assert statsig.flush().result(60).pending == 0
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
        sink.url,
        *FORKING,
    )
    assert ran.returncode == 0, ran.stderr
    assert arrived(sink) == Counter(f"{who} {n}" for who in ("parent", "child") for n in range(2, 12))


MULTIPROCESSING = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def work(number):
    statsig.log_event("u-1", f"work {{number}}")
    return statsig.check_gate("u-1", "on")

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    statsig.log_event("u-1", "before")
    child = context.Process(target=work, args=(0,))
    child.start()
    child.join()
    assert child.exitcode == 0
    pool = context.Pool(2)
    assert all(pool.map(work, range(1, 21), chunksize=1))
    pool.close()
    pool.join()
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert all(executor.map(work, range(21, 41)))
    statsig.log_event("u-1", "after")
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_send_their_own(tmp_path: Path, sink: EventSink, method: str) -> None:
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    ran = run(tmp_path, MULTIPROCESSING.format(method=method), sink.url, *FORKING)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert arrived(sink) == Counter(["before", "after", *(f"work {number}" for number in range(41))])


# Threads, and many ends

THREADS = """
import time

def tasks():
    return {int(name) for name in os.listdir("/proc/self/task")}

def python_threads():
    return {thread.native_id for thread in threading.enumerate()}

from program_client import adapter
from small_project import TIME, payload
statsig.shutdown().wait()
deadline = time.monotonic() + 60
# Those that have ended go a moment later.
while tasks() != python_threads() or threading.active_count() > 1:
    assert time.monotonic() < deadline, (tasks(), threading.enumerate())
before = tasks()
for n in range(50):
    assert statsig._load(payload(TIME + n + 1, n), "Test") == "applied"
    for user in range(20):
        statsig.check_gate(f"u-{user}", "on")
        statsig.get_layer(f"u-{user}", "page").get("title")
    statsig.get_client_initialize_response("u-1")
    assert tasks() <= before | python_threads(), (tasks(), before, threading.enumerate())
assert statsig.flush().result(60).pending == 0
statsig.shutdown().wait()
while tasks() != before:
    assert time.monotonic() < deadline, (tasks(), before, threading.enumerate())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tasks are counted as Linux shows them")
def test_the_core_starts_no_threads(tmp_path: Path, sink: EventSink) -> None:
    ran = run(tmp_path, THREADS, sink.url)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(sink.events) == 40  # each exposure once


QUIET = """
import sys, threading
from small_project import payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions
options = StatsigOptions(data_adapter=MemoryAdapter(payload()), disable_all_logging=True)
statsig = Statsig("secret-key", options)
statsig.initialize().wait()
assert statsig.check_gate("u-1", "on")
"""
FOR_EVER = """
def for_ever():
    while True:
        {does}
threading.Thread(target=for_ever, daemon=True).start()
"""
CHECKS = QUIET + FOR_EVER.format(does="statsig.check_gate('u-1', 'on')")
SYNCS = QUIET + FOR_EVER.format(does="statsig.sync().wait()")
SENDS = "import sys\nfrom program_client import statsig\nstatsig.log_event('u-1', sys.argv[1])"


def test_no_crash_in_200_starts_and_ends(sink: EventSink) -> None:
    programs = [*[QUIET, CHECKS] * 2, *[SYNCS] * 3, SENDS]

    def cycle(number: int) -> tuple[int, str]:
        ran = subprocess.run(
            [sys.executable, "-c", programs[number % len(programs)], f"event {number}"],
            env=environment(sink.url),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return ran.returncode, ran.stderr

    with ThreadPoolExecutor(4) as several:
        assert set(several.map(cycle, range(200))) == {(0, "")}
    assert arrived(sink) == Counter(f"event {number}" for number in range(7, 200, 8))
