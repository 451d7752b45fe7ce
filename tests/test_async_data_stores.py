"""Data stores with `async` methods: run on a loop that is nobody else's, from any thread, after any fork."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from statsig_fastly import AdapterError, DataStoreAdapter
from statsig_fastly.adapters.private_loop import PrivateLoop

if TYPE_CHECKING:
    from collections.abc import Coroutine

KEY = "secret-key"
SPECS = '{"time":1}'


class Asynchronous:
    """A store all of whose methods wait a little, and that remembers on which loop they were called."""

    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.calls: list[str] = []
        self.background: asyncio.Task[None] | None = None

    async def initialize(self) -> None:
        await self._called("initialize")
        self.background = asyncio.get_running_loop().create_task(self._for_ever())

    async def get(self, key: str) -> dict[str, str]:  # noqa: ARG002
        await self._called("get")
        return {"result": SPECS}

    async def support_polling_updates_for(self, key: str) -> bool:  # noqa: ARG002
        await self._called("support_polling_updates_for")
        return True

    async def shutdown(self) -> None:
        await self._called("shutdown")

    async def _for_ever(self) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def _called(self, method: str) -> None:
        self.loops.append(asyncio.get_running_loop())
        self.calls.append(method)
        await asyncio.sleep(0)


def test_it_is_run_on_one_loop_of_its_own() -> None:
    store = Asynchronous()
    adapter = DataStoreAdapter(store, KEY)
    for _ in range(3):
        payload = adapter.fetch()
        assert payload is not None
        assert payload.body == SPECS.encode()
    assert adapter.supports_polling()
    assert store.background is not None
    assert not store.background.done()
    adapter.close()
    assert store.calls == ["initialize", *["get"] * 3, "support_polling_updates_for", "shutdown"]
    assert len(set(store.loops)) == 1
    assert store.background.done()
    assert store.loops[0].is_closed()


def test_after_a_close_there_is_another_loop() -> None:
    store = Asynchronous()
    adapter = DataStoreAdapter(store, KEY)
    for _ in range(2):
        adapter.fetch()
        adapter.close()
    assert store.calls == ["initialize", "get", "shutdown"] * 2
    assert len(set(store.loops)) == 2


@pytest.mark.parametrize("closing", [False, True])
def test_a_loop_that_runs_in_the_calling_thread_is_not_used(closing: bool) -> None:
    store = Asynchronous()
    adapter = DataStoreAdapter(store, KEY)

    async def application() -> asyncio.AbstractEventLoop:
        assert adapter.fetch() is not None  # blocks this loop, and works all the same
        assert await asyncio.to_thread(adapter.fetch) is not None
        if closing:
            adapter.close()
        return asyncio.get_running_loop()

    loop = asyncio.run(application())
    if not closing:
        adapter.fetch()
        adapter.close()
    assert store.calls[-1] == "shutdown"
    assert loop not in store.loops
    assert len(set(store.loops)) == 1
    assert store.loops[0].is_closed()


def test_many_threads_share_it() -> None:
    class Alone(Asynchronous):
        inside = 0

        async def _called(self, method: str) -> None:
            self.inside += 1
            assert self.inside == 1
            await super()._called(method)
            self.inside -= 1

    store = Alone()
    adapter = DataStoreAdapter(store, KEY)
    start = threading.Barrier(8)

    def work(_: int) -> list[bool]:
        start.wait(30)
        return [adapter.fetch() is not None for _ in range(20)]

    with ThreadPoolExecutor(8) as threads:
        assert all(map(all, threads.map(work, range(8))))
    adapter.close()
    assert sorted(store.calls) == ["get"] * 160 + ["initialize", "shutdown"]
    assert len(set(store.loops)) == 1


async def cancelled() -> None:
    raise asyncio.CancelledError


async def broken() -> None:
    raise OSError("no route")


@pytest.mark.parametrize(
    ("work", "says"),
    [(cancelled, "get raised RuntimeError: it was cancelled"), (broken, "get raised OSError: no route")],
)
def test_what_it_raises(work: object, says: str) -> None:
    class Failing:
        def get(self, key: str) -> Coroutine[object, object, None]:  # noqa: ARG002
            return work()  # type: ignore[operator,no-any-return]  # a coroutine function

    adapter = DataStoreAdapter(Failing(), KEY)
    for _ in range(2):
        with pytest.raises(AdapterError, match=says):
            adapter.fetch()
    adapter.close()


def test_what_belongs_to_another_loop() -> None:
    loop = asyncio.new_event_loop()

    class Foreign:
        def get(self, key: str) -> asyncio.Future[str]:  # noqa: ARG002
            return loop.create_future()

    adapter = DataStoreAdapter(Foreign(), KEY)
    with pytest.raises(AdapterError, match=r"get raised RuntimeError: .*different loop"):
        adapter.fetch()
    adapter.close()
    loop.close()


def test_who_forgets_an_adapter_is_not_warned() -> None:
    class Simple(Asynchronous):
        async def initialize(self) -> None: ...

    store = Simple()
    DataStoreAdapter(store, KEY).fetch()
    gc.collect()
    assert store.loops[0].is_closed()
    PrivateLoop().close()


def test_what_interrupts_a_wait_leaves_the_loop_usable() -> None:
    loop = PrivateLoop()

    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def later() -> int:
        await asyncio.sleep(0)
        return 5

    with pytest.raises(KeyboardInterrupt):
        loop.run(interrupted())
    assert loop.run(later()) == 5
    loop.close()


# A work thread of asyncio is there when it forks, which new versions of Python warn of.
_WARNINGS = ["-W", "error::RuntimeWarning", "-W", "ignore::DeprecationWarning"]
FORKS = """
import asyncio, os, socket, sys
from statsig_fastly import DataStoreAdapter

class Connected:
    "A store with a connection on its loop, to whoever answers there."
    def __init__(self, port):
        self.port = port
    async def initialize(self):
        self.loop = asyncio.get_running_loop()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
    async def get(self, key):
        assert asyncio.get_running_loop() is self.loop
        await asyncio.to_thread(len, key)  # another thread has to wake the loop
        self.writer.write(b"?")
        return await self.reader.readexactly(10)
    async def shutdown(self):
        self.writer.close()
        await self.writer.wait_closed()

store = Connected(int(sys.argv[1]))
adapter = DataStoreAdapter(store, "secret-key")
assert adapter.fetch() is not None
before = store.loop
child = os.fork()
if child == 0:
    assert adapter.fetch() is not None
    assert store.loop is not before
    adapter.close()
    sys.exit(0)  # with all that an interpreter does at its end
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert adapter.fetch() is not None
assert store.loop is before
adapter.close()
print("both")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    from loopback import Listener, Peer

    def serve(peer: Peer) -> None:
        while peer.sock.recv(1):
            peer.send(SPECS.encode())

    with Listener(serve) as server:
        program = [sys.executable, *_WARNINGS, "-c", FORKS, str(server.port)]
        ran = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "both\n", "")
        assert server.connections == 2
