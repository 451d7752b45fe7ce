"""`Statsig` under many threads, over many reloads, in forked children and at the end of the interpreter."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from held_collector import quiet_client
from scripted_adapter import PATIENCE, ScriptedAdapter
from small_project import TIME, payload, started
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions

if TYPE_CHECKING:
    from collections.abc import Iterator


# Newer Pythons warn of every fork of a process that has had threads.
FORKING = ("-W", "ignore::DeprecationWarning")


def expect_silence(script: str, *flags: str) -> None:
    """Runs a program that has the test support at hand; it must succeed and print nothing."""
    ran = subprocess.run(
        [sys.executable, *flags, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns every 50 µs instead of every 5 ms: more to go wrong, and sooner over."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_every_answer_comes_from_one_ruleset() -> None:
    adapter = MemoryAdapter(payload(TIME, 0))
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    assert statsig.initialize().wait(PATIENCE)
    over = threading.Event()
    all_run = threading.Barrier(9)

    def check() -> set[object]:
        seen = set()
        all_run.wait(PATIENCE)
        while not over.is_set():
            config = statsig.get_dynamic_config("u-1", "number")
            n = config["a"]
            assert config.value == {"a": n, "b": [n], "c": {"d": n}}
            assert config.rule_id == f"rule_{n}"
            assert config.details.lcut == TIME + n
            assert statsig.check_gate("u-1", "on")
            assert statsig.get_layer("u-1", "page")["title"] == "nested"
            seen.add(n)
        return seen

    with ThreadPoolExecutor(8) as pool:
        checks = [pool.submit(check) for _ in range(8)]
        all_run.wait(PATIENCE)
        try:
            for n in range(1, 201):
                adapter.update(payload(TIME + n, n))
                assert statsig.sync().result(PATIENCE).changed
        finally:
            over.set()
        seen = set().union(*(one.result(PATIENCE) for one in checks))
    assert len(seen) > 2  # the reloads were really seen, not only the first and the last
    assert statsig.get_dynamic_config("u-1", "number")["a"] == 200


@pytest.mark.parametrize("waits", [False, True])
def test_reloading_keeps_nothing_of_the_old_rulesets(waits: bool) -> None:
    """Not even while events wait that were made with them."""
    statsig = (
        quiet_client("http://127.0.0.1:9/v1/log_event")
        if waits
        else started(data_adapter=MemoryAdapter(payload()), disable_all_logging=True)
    )

    def reload(first: int, count: int) -> None:
        for n in range(first, first + count):
            assert statsig._load(payload(TIME + n, n), "Test") == "applied"
            # Builds what is cached in the ruleset: dicts and strings.
            for name in ("number", "every_type"):
                assert statsig.get_dynamic_config("u-1", name).value
            assert statsig.get_layer("u-1", "page").to_dict()
            assert not statsig._issues()

    reload(1, 50)
    gc.collect()
    before = sys.getallocatedblocks()
    reload(51, 1000)
    gc.collect()
    # A reload that kept its dicts would keep some fifty blocks each.
    assert sys.getallocatedblocks() - before < 1000
    events = statsig.stats().events
    assert (events is not None and events.pending >= 1000) == waits
    statsig.shutdown(0).wait(PATIENCE)


def test_syncing_keeps_nothing_behind() -> None:
    adapter = ScriptedAdapter(payload(), b"<!doctype html><title>502</title>")
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    assert statsig.initialize().wait(PATIENCE)
    for _ in range(20):
        statsig.sync().result(PATIENCE)
    gc.collect()
    before = sys.getallocatedblocks(), threading.active_count()
    for _ in range(300):
        assert statsig.sync().result(PATIENCE).error is not None
    gc.collect()
    assert sys.getallocatedblocks() - before[0] < 600
    assert threading.active_count() <= before[1] + 1


# Ends of processes

AT_EXIT = """
import threading
from small_project import TIME, payload
from statsig_fastly import MemoryAdapter, Payload, Statsig, StatsigOptions

def options(adapter):
    return StatsigOptions(data_adapter=adapter, disable_all_logging=True)

class Newer:
    name = "Newer"
    time = TIME
    loading = threading.Event()

    def fetch(self, held_version=None):
        self.time += 1
        if self.time > TIME + 20:
            self.loading.set()
        return Payload(payload(self.time))

    def close(self):
        pass

class Silent(Newer):
    asked = threading.Event()

    def fetch(self, held_version=None):
        self.asked.set()
        threading.Event().wait()
"""
ENDS = {
    "not started": "statsig = Statsig('secret-key', options(Newer()))",
    "started": """
statsig = Statsig('secret-key', options(Newer()))
assert statsig.initialize().result(30).init_success
assert statsig.check_gate('u-1', 'on')
kept = statsig.get_layer('u-1', 'page'), statsig.get_dynamic_config('u-1', 'every_type').value
""",
    "starting": """
statsig = Statsig('secret-key', options(Silent()))
start = statsig.initialize()
assert Silent.asked.wait(30)
""",
    "loading": """
statsig = Statsig('secret-key', options(Newer()))

def for_ever():
    while True:
        statsig.sync().wait()
        statsig.check_gate('u-1', 'on')

for _ in range(3):
    threading.Thread(target=for_ever, daemon=True).start()
assert Newer.loading.wait(30)
""",
    "in a cycle": """
adapter = Newer()
adapter.statsig = statsig = Statsig('secret-key', options(adapter))
assert statsig.initialize().result(30).init_success
adapter.results = [statsig.get_layer('u-1', 'page')]
""",
    "after an exit": """
import atexit
statsig = Statsig('secret-key', options(Newer()))
assert statsig.initialize().result(30).init_success
atexit.register(lambda: statsig.check_gate('u-1', 'on') or 1 / 0)
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_an_interpreter_that_exits_without_shutdown_is_silent(end: str) -> None:
    expect_silence(AT_EXIT + ENDS[end], "-X", "dev")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_checks_and_syncs() -> None:
    script = (
        AT_EXIT
        + """
import os
statsig = Statsig('secret-key', StatsigOptions(data_adapter=Newer()))
assert statsig.initialize().result(30).init_success
child = os.fork()
if child == 0:
    time = statsig.config_time
    details = statsig.sync().result(30)
    right = details.changed and statsig.config_time == time + 1 and statsig.check_gate('u-1', 'on')
    os._exit(0 if right else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert statsig.sync().result(30).changed
"""
    )
    expect_silence(script, *FORKING)


FORKED_DURING_THE_START = """
import os, threading
from small_project import payload
from statsig_fastly import Payload, Statsig, StatsigOptions

class SlowInTheParent:
    name = "SlowInTheParent"
    asked, let_go, parent = threading.Event(), threading.Event(), os.getpid()
    def fetch(self, held_version=None):
        self.asked.set()
        if os.getpid() == self.parent:
            self.let_go.wait(30)
        return Payload(payload())
    def close(self):
        pass

adapter = SlowInTheParent()
statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter, init_timeout_ms=30000))
start = statsig.initialize()
assert adapter.asked.wait(30)
child = os.fork()
if child == 0:
    os._exit(0 if statsig.initialize().result(20).init_success and statsig.check_gate("u-1", "on") else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
adapter.let_go.set()
assert start.result(30).init_success
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_forked_during_the_start_can_start() -> None:
    expect_silence(FORKED_DURING_THE_START, *FORKING)
