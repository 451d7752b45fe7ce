"""One adapter, many threads; and a fork among them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastly_adapters import KEY, SPECS, TOKEN, adapter_for, asked
from loopback import Listener, Peer, answering, http
from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.fastly import FastlyDataAdapter
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.errors import AdapterError


@pytest.fixture
def kv(fastly: Emulator) -> Emulator:
    """An emulator whose token must not show up in anything that was logged."""
    return fastly


# Threads


def together(adapter: FastlyDataAdapter, count: int = 20) -> list[Payload | AdapterError | None]:
    start = threading.Barrier(count)

    def ask(_: int) -> Payload | AdapterError | None:
        start.wait(10)
        try:
            return adapter.fetch()
        except AdapterError as problem:
            return problem

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(ask, range(count)))


def test_twenty_threads_look_the_store_up_once(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    generation = str(kv.put(store, KEY, SPECS))
    kv.fault(Fault(path="/kv$", delay=0.2))  # so that all of them wait for it
    assert together(adapter_for(kv)) == [Payload(SPECS, generation, None)] * 20
    said = asked(kv)
    assert said.count("GET ?name=specs") == 1
    assert said.count(f"GET /{store}/keys/{KEY}") == 20


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_child_is_not_locked_out() -> None:
    program = (
        "import os, sys\n"
        "from statsig_fastly.adapters.fastly import FastlyDataAdapter\n"
        "adapter = FastlyDataAdapter('specs', 'k', token='t', api=sys.argv[1])\n"
        "adapter._store._id._lock.acquire()\n"  # as if another thread were looking the store up
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if adapter.fetch().body == b'{}' else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    lookup = b'{"data":[{"id":"abc","name":"specs"}]}'
    with Listener(answering(http(200, lookup), http(200, b"{}"))) as server:
        subprocess.run([sys.executable, "-c", program, server.url], check=True, timeout=60)
        assert len(server.received) == 2


def test_twenty_threads_share_one_failed_lookup() -> None:
    inside = threading.Event()

    def silent(peer: Peer) -> None:
        peer.request()
        inside.set()
        peer.stay_silent()

    with Listener(silent) as server:
        adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, api=server.url, read_timeout=0.5)
        began = time.monotonic()
        outcomes = together(adapter)
        took = time.monotonic() - began
        assert inside.is_set()
        assert len(server.received) < 5  # those that came too late for the first one
    assert took < 5  # and not twenty timeouts in a row
    assert all(isinstance(outcome, AdapterError) and outcome.retryable for outcome in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 20
