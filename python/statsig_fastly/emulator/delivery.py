"""Puts an answer on the wire, with whatever the fault does to the connection on the way.

In: an `Answer`, the `Fault` or None, and the server's request object. Out: bytes on the connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from statsig_fastly.emulator.exchange import Answer
    from statsig_fastly.emulator.faults import Fault

__all__ = ["deliver"]

_COMMON_HEADERS = {
    "Server": "fastly",
    "Via": "1.1 varnish",
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Cache": "MISS, MISS",
    "X-Served-By": "cache-emulator-LOCAL",
}
_WITHOUT_BODY = {204, 304}
# linger on, zero seconds: closing the socket sends a reset instead of an orderly end.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


async def deliver(
    request: web.BaseRequest, answer: Answer, fault: Fault | None, *, now: float, stopping: asyncio.Event
) -> web.StreamResponse:
    """Sends `answer`.

    Args:
        request: The request to answer.
        answer: The answer, the fault's replacements already in it.
        fault: What else goes wrong, or None.
        now: Seconds since the epoch, for the `Date` header.
        stopping: Set when the emulator stops; ends every wait by cutting the connection.

    Returns:
        What the server wants back from a handler; where the connection was cut it is never sent.
    """
    headers = {"Date": formatdate(int(now), usegmt=True), **_COMMON_HEADERS, **answer.headers}
    if fault is None:
        return _whole(answer, headers)
    if fault.delay and await _stopped_within(fault.delay, stopping):
        return _cut(request)
    if fault.reset == "before":
        return _cut(request)
    dropped = {name.lower() for name in fault.drop_headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in dropped}
    sent = _sent_bytes(answer, fault)
    if request.method == "HEAD" or answer.status in _WITHOUT_BODY or not (fault.drip or _is_partial(fault)):
        return _whole(answer, headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    if fault.chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(answer.body)
    await response.prepare(request)
    step = fault.drip_bytes if fault.drip else max(len(sent), 1)
    for start in range(0, len(sent), step):
        await response.write(sent[start : start + step])
        if fault.drip and await _stopped_within(fault.drip, stopping):
            return _cut(request)
    if fault.reset == "body":
        return _cut(request)
    if fault.truncate is not None and request.transport is not None:
        request.transport.close()
        return response
    await response.write_eof()
    return response


def _is_partial(fault: Fault) -> bool:
    return fault.reset == "body" or fault.truncate is not None or fault.chunked


def _sent_bytes(answer: Answer, fault: Fault) -> bytes:
    if fault.truncate is not None:
        return answer.body[: fault.truncate]
    if fault.reset == "body":
        return answer.body[: len(answer.body) // 2]
    return answer.body


def _whole(answer: Answer, headers: dict[str, str]) -> web.Response:
    return web.Response(status=answer.status, headers=headers, body=answer.body)


def _cut(request: web.BaseRequest) -> web.Response:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response(status=500)


async def _stopped_within(seconds: float, stopping: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except asyncio.TimeoutError:
        return False
    return True
