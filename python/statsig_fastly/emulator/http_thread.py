"""An HTTP server with an event loop in a thread of its own, started and stopped from outside.

In: an address, and a coroutine that answers one request. Out: a port that answers, until `stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

__all__ = ["HttpThread"]

_HEADER_BYTES = 65_536
_HANDLER_GRACE = 0.1
_CLOSE_GRACE = 0.5


class HttpThread:
    """One server. `start` and `stop` belong to one owner and are not called at the same time.

    Args:
        answer: Answers a request. The event it gets is set when the server stops: whoever waits for
            anything waits for that too.
    """

    def __init__(
        self, answer: Callable[[web.BaseRequest, asyncio.Event], Awaitable[web.StreamResponse]]
    ) -> None:
        self._answer = answer
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def running(self) -> bool:
        """True between `start` and `stop`."""
        return self._thread is not None

    def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listens, and returns the port once requests are answered.

        Raises:
            OSError: The address cannot be used, e.g. the port is taken.
            RuntimeError: It is running already.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=512)
        ready: Future[None] = Future()
        thread = threading.Thread(
            target=self._run, args=(listener, tls, ready), name="statsig-fastly-emulator", daemon=True
        )
        thread.start()
        try:
            ready.result()
        except BaseException:
            thread.join()
            listener.close()
            raise
        self._thread = thread
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Closes the listener and every connection, and joins the thread. Calling it again does nothing."""
        thread, loop, stopping = self._thread, self._loop, self._stopping
        if thread is None or loop is None or stopping is None:
            return
        self._thread = None
        loop.call_soon_threadsafe(stopping.set)
        thread.join()

    def _run(self, listener: socket.socket, tls: ssl.SSLContext | None, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(listener, tls, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, listener: socket.socket, tls: ssl.SSLContext | None, ready: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        stopping = self._stopping

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return await self._answer(request, stopping)

        protocols = web.Server(
            answer,
            access_log=None,
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        server = await self._loop.create_server(protocols, sock=listener, ssl=tls)
        ready.set_result(None)
        await stopping.wait()
        # asyncio loses a connection that was accepted just before its server is closed: first no more are
        # accepted, then the last one gets its protocol, then the server is closed.
        with contextlib.suppress(NotImplementedError):
            self._loop.remove_reader(listener)
        await _let_callbacks_run()
        server.close()
        protocols.pre_shutdown()
        transports = [found.transport for found in protocols.connections]
        await protocols.shutdown(_HANDLER_GRACE)
        for transport in transports:
            if transport is not None:
                transport.abort()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _CLOSE_GRACE)
        await _let_callbacks_run()  # an aborted transport is closed by a callback


async def _let_callbacks_run() -> None:
    # What is waited for takes two turns of the loop, under TLS three.
    for _ in range(4):
        await asyncio.sleep(0)
