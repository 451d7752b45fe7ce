"""One poller per host: processes that share a directory ask the store as often as one would."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_client import StandingClock
from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import AdapterError, Statsig, StatsigOptions, SyncPolicy
from statsig_fastly.sync.shared import SharedPolling, SharedState
from sync_parts import Parts, parts_of

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# The state

TIMES = st.floats(0, 4e9)


@given(
    st.builds(
        SharedState,
        failures=st.integers(0, 2**32 - 1),
        begun_at=TIMES,
        asked_at=TIMES,
        due_at=TIMES,
        confirmed_at=TIMES,
        digest=st.just(b"") | st.binary(min_size=32, max_size=32).filter(any),
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, state: SharedState) -> None:
    directory = tmp_path_factory.mktemp("shared")
    one, other = SharedPolling(directory, "name"), SharedPolling(directory, "name")
    assert other.state() == SharedState()
    one.write(state)
    assert other.state() == one.state() == state
    one.close()
    other.close()
    assert SharedPolling(directory, "name").state() == state


def test_what_is_damaged_counts_as_nothing(tmp_path: Path) -> None:
    shared = SharedPolling(tmp_path, "name")
    shared.write(SharedState(due_at=2e9))
    path = tmp_path / "name-1.poll"
    whole = path.read_bytes()
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        assert SharedPolling(tmp_path, "name").state() == SharedState()


@given(TIMES, TIMES, TIMES)
def test_when_it_is_due(asked_at: float, due_at: float, now: float) -> None:
    # Not before `due_at`, unless the clock was put back since.
    assert SharedState(asked_at=asked_at, due_at=due_at).is_due(now) == (now >= due_at or now < asked_at)


def test_half_written_states_are_never_read(tmp_path: Path) -> None:
    shared = SharedPolling(tmp_path, "name")
    states = [
        SharedState(number, number * 1.5, number * 2.5, number * 3.5, 0.0, bytes([number % 255 + 1]) * 32)
        for number in range(1, 300)
    ]
    known = {SharedState(), *states}
    ended = threading.Event()
    found: set[SharedState] = set()

    def read() -> None:
        reader = SharedPolling(tmp_path, "name")
        while not ended.is_set():
            found.add(reader.state())

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for state in states * 10:
        shared.write(state)
    ended.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert found <= known


@needs_fork
def test_one_has_the_turn_at_a_time_across_forks_and_threads(tmp_path: Path) -> None:
    shared = SharedPolling(tmp_path, "name")
    with shared.turn() as mine:
        assert mine
        with shared.turn() as again:
            assert not again
        with SharedPolling(tmp_path, "name").turn() as other:
            assert not other
        child = os.fork()
        if child == 0:
            # What it inherits is not the turn, and letting go of it does not end the parent's.
            status = 1
            try:
                with shared.turn() as childs:
                    status = 2 if childs else 0
                shared.close()
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        with SharedPolling(tmp_path, "name").turn() as other:
            assert not other
    with SharedPolling(tmp_path, "name").turn() as other:
        assert other


# Looking in turn; several `Parts` are as many processes


def processes(directory: Path, *answers: object, count: int = 3) -> tuple[list[Parts], ScriptedAdapter]:
    adapter, wall = ScriptedAdapter(*answers), StandingClock()
    policy = SyncPolicy.background(10)
    made = [parts_of(adapter, policy, directory=directory, shared=True, wall=wall) for _ in range(count)]
    return made, adapter


def looks(made: list[Parts]) -> list[str]:
    return [parts.looker.look_if_due().outcome for parts in made]


def test_one_asks_and_the_others_take_what_it_found(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), None, payload(TIME + 1, 2))
    assert looks(made) == ["applied"] * 3
    assert looks(made) == ["left_to_another"] * 3
    assert adapter.held == [None]
    made[0].wall.now += 10
    assert looks(made[::-1]) == ["unchanged", "left_to_another", "left_to_another"]
    made[0].wall.now += 10
    assert looks(made) == ["applied"] * 3
    assert adapter.held == [None, "version 1", "version 1"]
    assert {parts.in_use.config_time for parts in made} == {TIME + 1}
    assert {parts.in_use.source for parts in made} == {"Adapter(Scripted)"}
    stats = [parts.account.stats() for parts in made]
    assert [stat.looks for stat in stats] == [2, 0, 1]
    assert [stat.taken_from_another for stat in stats] == [0, 2, 2]
    assert {stat.last_success_at for stat in stats} == {made[0].wall.now}


def test_in_an_outage_one_asks(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), AdapterError("down"), count=5)
    looks(made)
    start = made[0].wall.now
    while made[0].wall.now < start + 3600:
        made[0].wall.now += 0.5
        looks(made)
    # As one process alone would: every 7.5 s (10 less what chance takes), and sooner at the beginning.
    assert len(adapter.held) <= 3600 / 7.5 + 6
    assert {parts.in_use.config_time for parts in made} == {TIME}


def test_retry_after_counts_for_all(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), AdapterError("busy", retry_after=300.0), None)
    looks(made)
    made[0].wall.now += 10
    looks(made)
    for _ in range(29):
        made[0].wall.now += 10
        assert looks(made) == ["left_to_another"] * 3
    made[0].wall.now += 10
    assert "unchanged" in looks(made)
    assert len(adapter.held) == 3


def test_a_clock_that_is_put_back_does_not_stop_it(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), None)
    looks(made)
    made[0].wall.now -= 10**6
    assert sorted(looks(made)) == ["left_to_another", "left_to_another", "unchanged"]
    assert len(adapter.held) == 2


def test_a_look_that_is_asked_for_is_made(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), payload(TIME + 1, 2))
    looks(made)
    assert made[1].looker.look().outcome == "applied"
    assert len(adapter.held) == 2
    assert looks(made) == ["applied", "left_to_another", "applied"]


def test_at_a_start_whoever_asks_is_waited_for(tmp_path: Path) -> None:
    held_back = HeldBack(payload())
    adapter = ScriptedAdapter(held_back)
    options = StatsigOptions(data_adapter=adapter, last_known_good_dir=tmp_path, shared_polling=True)
    clients = [Statsig("secret-key", options) for _ in range(3)]
    first = clients[0].initialize()
    assert held_back.asked.wait(PATIENCE)
    starts = [first, *(client.initialize() for client in clients[1:])]
    held_back.let_go.set()
    assert {start.result(PATIENCE).source for start in starts} == {"Adapter(Scripted)"}
    assert len(adapter.held) == 1
    for client in clients:
        client.shutdown().wait(PATIENCE)


def test_one_that_hangs_does_not_keep_the_others_from_starting(tmp_path: Path) -> None:
    held_back = HeldBack(payload())
    options = StatsigOptions(
        data_adapter=ScriptedAdapter(held_back),
        bootstrap=payload(TIME - 1),
        last_known_good_dir=tmp_path,
        shared_polling=True,
        init_timeout_ms=100,
    )
    one, other = Statsig("secret-key", options), Statsig("secret-key", options)
    first = one.initialize()
    assert held_back.asked.wait(PATIENCE)
    details = other.initialize().result(PATIENCE)
    assert details.source == "Bootstrap"
    assert first.result(PATIENCE).source == "Bootstrap"
    held_back.let_go.set()
    for client in (one, other):
        client.shutdown().wait(PATIENCE)


def test_a_directory_that_cannot_be_used_is_said_once_and_everybody_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    made, adapter = processes(tmp_path / "file", payload(), None, count=1)
    for _ in range(3):
        looks(made)
    assert len(adapter.held) == 3
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "cannot be shared with other processes" in line]) == 1


def test_it_needs_a_directory() -> None:
    with pytest.raises(ValueError, match="'shared_polling': expected last_known_good_dir with it"):
        StatsigOptions(shared_polling=True)


# Real processes

WORKERS = 30
INTERVAL = 0.25

PROGRAM = """
import os, sys, threading, time
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, SyncPolicy

def client(url, store, directory, interval):
    adapter = FastlyDataAdapter(store, "statsig-1", token="emulator-token", api=url)
    options = StatsigOptions(
        data_adapter=adapter, sync_policy=SyncPolicy.background(interval), disable_all_logging=True,
        last_known_good_dir=directory, shared_polling=True,
    )
    return Statsig("secret-key", options)

def work(statsig):
    end = time.monotonic() + 60
    while statsig.get_dynamic_config("u-1", "number").get("a", 0) != 2:
        if time.monotonic() > end:
            return 1
        time.sleep(0.02)
    # Whoever found it may be about to tell the others.
    statsig.shutdown().wait()
    for thread in threading.enumerate():
        if thread.name == "statsig-fastly-polling":
            thread.join()
    return 0

url, store, directory, interval, workers, preload = sys.argv[1:]
statsig = client(url, store, directory, float(interval))
if preload == "preload":
    statsig.initialize().wait()
children = []
for _ in range(int(workers)):
    child = os.fork()
    if child == 0:
        if preload != "preload":
            statsig.initialize().wait()
        os._exit(work(statsig))
    children.append(child)
print("started", flush=True)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@needs_fork
@pytest.mark.parametrize("preload", ["preload", "each for itself"])
def test_thirty_workers_make_the_requests_of_one(tmp_path: Path, emulator: Emulator, preload: str) -> None:
    store = emulator.create_kv_store("specs")
    emulator.put("specs", "statsig-1", payload())
    arguments = [emulator.url, store, str(tmp_path / "shared"), str(INTERVAL), str(WORKERS), preload]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == "started\n"
        emulator.wait_for_requests(8, timeout=PATIENCE)
        emulator.put("specs", "statsig-1", payload(TIME + 1, 2))
        assert ran.wait(2 * PATIENCE) == 0
    asked = [request for request in emulator.requests if "/keys/" in request.path]
    assert [request.method for request in asked].count("GET") == 2  # one of each payload, for all of them
    heads = [request.arrived_at for request in asked if request.method == "HEAD"]
    assert len(heads) >= 4
    gaps = [later - earlier for earlier, later in itertools.pairwise(heads)]
    assert min(gaps) >= INTERVAL * 0.9 - 0.01


# Bad times


def only_file(directory: Path, ending: str) -> Path:
    (path,) = directory.glob(f"*{ending}")
    return path


def test_a_state_that_is_truncated_counts_as_nothing(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), None)
    looks(made)
    os.truncate(only_file(tmp_path, ".poll"), 0)
    assert sorted(looks(made)) == ["left_to_another", "left_to_another", "unchanged"]
    assert len(adapter.held) == 2


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_state_that_is_removed_does_not_split_the_host(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), None)
    looks(made)
    only_file(tmp_path, ".poll").unlink()
    made[0].wall.now += 10
    looks(made)  # whoever looks finds out
    before = len(adapter.held)
    for _ in range(20):
        made[0].wall.now += 10
        looks(made)
    assert len(adapter.held) - before == 20


def test_what_could_not_be_kept_is_had_by_everybody_nevertheless(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), payload(TIME + 1, 2))
    looks(made)
    assert made[0].kept is not None
    made[0].kept.path = tmp_path / "not there" / "x"
    (tmp_path / "not there").write_text("a file in the way of a directory")
    made[0].wall.now += 10
    assert looks(made)[0] == "applied"
    for _ in range(3):
        for parts in made:
            parts.pass_by(0.001)
            parts.clock.now += 10
        looks(made)
    assert {parts.in_use.config_time for parts in made} == {TIME + 1}
    assert len(adapter.held) <= 6


def test_what_could_not_be_kept_is_kept_later(tmp_path: Path) -> None:
    made, _ = processes(tmp_path, payload(), None, count=1)
    kept = made[0].kept
    assert kept is not None
    real, kept.path = kept.path, tmp_path / "file" / "x"
    (tmp_path / "file").write_text("in the way")
    assert looks(made) == ["applied"]
    kept.path = real
    made[0].wall.now += 10
    assert looks(made) == ["unchanged"]
    found = kept.load()
    assert found is not None
    assert found.payload.body == payload()


def test_one_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), None)
    looks(made)
    with SharedPolling(tmp_path, "test").turn() as mine:  # stopped in the middle of a look
        assert mine
        hung = SharedPolling(tmp_path, "test")
        state = hung.state()
        hung.write(replace(state, begun_at=made[0].wall.now + 10))
        made[0].wall.now += 20
        assert looks(made) == ["left_to_another"] * 3
        made[0].wall.now += 60
        assert sorted(looks(made)) == ["left_to_another", "left_to_another", "unchanged"]
    assert len(adapter.held) == 2


@needs_fork
def test_the_turn_of_one_that_was_killed_is_free_whatever_it_had_forked(tmp_path: Path) -> None:
    ready_read, ready_write = os.pipe()
    end_read, end_write = os.pipe()
    poller = os.fork()
    if poller == 0:
        try:
            parts = parts_of(ScriptedAdapter(payload()), directory=tmp_path, shared=True)
            polling = parts.looker._shared  # type: ignore[attr-defined]
            with polling.turn():
                if os.fork() == 0:  # a child that never makes a check
                    os.write(ready_write, b"x")
                    os.read(end_read, 1)
                    os._exit(0)
                os.read(end_read, 1)
        finally:
            os._exit(0)
    assert os.read(ready_read, 1) == b"x"
    os.kill(poller, signal.SIGKILL)
    os.waitpid(poller, 0)
    try:
        with SharedPolling(tmp_path, "test").turn() as mine:
            assert mine
    finally:
        os.write(end_write, b"xx")
        for descriptor in (ready_read, ready_write, end_read, end_write):
            os.close(descriptor)


def test_a_new_worker_does_not_start_empty_while_the_store_is_up(tmp_path: Path) -> None:
    made, adapter = processes(tmp_path, payload(), payload())
    looks(made[:1])
    only_file(tmp_path, ".specs").unlink()
    assert made[1].looker.look_if_due().outcome == "applied"
    assert len(adapter.held) == 2


def test_a_new_worker_is_told_why_there_is_nothing(tmp_path: Path) -> None:
    made, _ = processes(tmp_path, AdapterError("the token was refused", status=401))
    assert [str(parts.looker.look_if_due().error) for parts in made] == ["the token was refused"] * 3


def test_a_restart_takes_what_the_store_has_even_if_it_is_older(tmp_path: Path) -> None:
    future, right = payload(TIME + 10**9, 9), payload(TIME, 1)
    made, _ = processes(tmp_path, future, right, count=1)
    looks(made)
    made[0].wall.now += 10
    assert looks(made) == ["older"]
    # Somebody put the store right, and restarts.
    again = parts_of(
        ScriptedAdapter(right), SyncPolicy.background(10), directory=tmp_path, shared=True, wall=made[0].wall
    )
    again.wall.now += 10
    assert again.looker.look_if_due().outcome == "applied"
    assert again.in_use.config_time == TIME


def test_nothing_stays_open(tmp_path: Path) -> None:
    options = StatsigOptions(
        data_adapter=ScriptedAdapter(payload(), None),
        last_known_good_dir=tmp_path,
        shared_polling=True,
        disable_all_logging=True,
    )
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("open files are counted as Linux shows them")
    for _ in range(10):
        with Statsig("secret-key", options) as statsig:
            assert statsig.is_ready
    # Those of other tests come and go.
    opened = [os.path.realpath(descriptor) for descriptor in descriptors.iterdir()]
    assert [path for path in opened if path.startswith(str(tmp_path))] == []


def test_a_clock_that_is_put_back_makes_nothing_stale(tmp_path: Path) -> None:
    adapter, wall = ScriptedAdapter(payload(), None), StandingClock()
    told: list[object] = []
    made = [
        parts_of(
            adapter,
            SyncPolicy.background(10),
            directory=tmp_path,
            shared=True,
            wall=wall,
            stale_after=60,
            on_stale=told.append,
        )
        for _ in range(2)
    ]
    looks(made)
    wall.now -= 3600
    for _ in range(20):
        wall.now += 10
        for parts in made:
            parts.clock.now += 10
        looks(made)
    assert told == []
