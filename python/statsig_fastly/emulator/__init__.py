"""A local stand-in for Fastly's KV Store and Config Store REST APIs, with an event collector.

In: HTTP requests on loopback. Out: answers as api.fastly.com gives them, scripted failures
included, and a record of what was asked. Needs the `cli` extra (aiohttp).

    from statsig_fastly.emulator import Emulator, Fault

    with Emulator() as emulator:
        emulator.create_kv_store("specs")
        emulator.put("specs", "statsig-1a2b3c", payload)
        emulator.fault(Fault(path="/keys/", status=503))
        ...  # point a client at emulator.url, with emulator.token
"""

from __future__ import annotations

try:
    import aiohttp as _aiohttp  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "aiohttp":
        raise
    raise ModuleNotFoundError(
        "the emulator needs aiohttp: pip install 'statsig-fastly[cli]'", name="aiohttp"
    ) from error

from statsig_fastly.emulator.events import LogEventRequest
from statsig_fastly.emulator.exchange import RecordedRequest
from statsig_fastly.emulator.faults import Fault
from statsig_fastly.emulator.kv import Version
from statsig_fastly.emulator.server import Emulator

__all__ = ["Emulator", "Fault", "LogEventRequest", "RecordedRequest", "Version"]
