"""What tests of adapters for Fastly's stores share: a token that nothing may show, and a look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from printable import everything_printable
from statsig_fastly.adapters.fastly import FastlyDataAdapter
from statsig_fastly.chunks import split
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from statsig_fastly.chunks import Manifest
    from statsig_fastly.emulator import Emulator

KEY = "statsig-1a2b3c"
SPECS = b'{"dynamic_configs":[],"feature_gates":[],"layer_configs":[],"has_updates":true,"time":1}'
TOKEN = "tok-0123456789abcdef-XYZ"
ITEM = r"/keys/."


def adapter_for(
    emulator: Emulator,
    store: str = "specs",
    key: str | None = KEY,
    **more: Any,  # noqa: ANN401 - arguments of the adapter
) -> FastlyDataAdapter:
    """An adapter for a store of the emulator."""
    arguments = {"token": TOKEN, "api": emulator.url, "connect_timeout": 2.0, "read_timeout": 5.0, **more}
    return FastlyDataAdapter(store, key, **arguments)


def asked(emulator: Emulator, prefix: str = "/resources/stores/kv") -> list[str]:
    """`METHOD path?query` of what was asked since the last call, without the prefix of the paths."""
    said = [f"{request.method} {request.raw_path.removeprefix(prefix)}" for request in emulator.requests]
    emulator.take_requests()
    return said


def failure(adapter: FastlyDataAdapter, held_version: str | None = None) -> AdapterError:
    """The error of a fetch, in one line and without the token."""
    with pytest.raises(AdapterError) as caught:
        adapter.fetch(held_version)
    problem = caught.value
    assert "\n" not in str(problem)
    assert TOKEN not in everything_printable(problem)
    assert "Traceback" not in str(problem)
    return problem


def put_chunks(
    emulator: Emulator,
    store: str,
    value: bytes,
    store_type: Literal["kv", "config"],
    **more: Any,  # noqa: ANN401
) -> Manifest:
    """Puts a value into a store in chunks, the manifest last, and returns that."""
    manifest, chunks = split(value, KEY, store_type=store_type, **more)
    for key, body in {**chunks, KEY: manifest.value}.items():
        if store_type == "kv":
            emulator.put(store, key, body)
        else:
            emulator.set_config_item(store, key, body.decode())
    return manifest
