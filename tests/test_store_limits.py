"""A store that is nearly full says so once, with what to do; one that is full says it with every failure."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

import pytest

from fastly_adapters import KEY, adapter_for, failure, put_chunks
from statsig_fastly.emulator import Fault
from statsig_fastly.store_limits import config_advice, kv_advice

if TYPE_CHECKING:
    from statsig_fastly.adapters.fastly import FastlyDataAdapter
    from statsig_fastly.emulator import Emulator


def of_size(size: int) -> bytes:
    """JSON of so many bytes."""
    return b'{"x":"' + b"x" * (size - 8) + b'"}'


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the package warned of since the last call."""
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name == "statsig_fastly" and record.levelno >= logging.WARNING
    ]
    caplog.clear()
    return said


def fetched(adapter: FastlyDataAdapter) -> None:
    assert adapter.fetch() is not None


def test_a_kv_store_value_near_its_limit(fastly: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    fastly.create_kv_store("specs")
    fastly.put("specs", KEY, of_size(799))
    adapter = adapter_for(fastly, max_value_bytes=1000)
    fetched(adapter)
    assert warnings(caplog) == []
    fastly.put("specs", KEY, of_size(800))
    for _ in range(3):
        fetched(adapter)
    host = fastly.url.removeprefix("http://")
    (said,) = warnings(caplog)
    asked = f"reading key '{KEY}' of KV store 'specs' at {host}"
    assert said.startswith(f"{asked}: the value has 800 of 1,000 bytes; before it is full, ")
    assert [remedy for remedy in ("Target App", "compressed", "chunks") if remedy not in said] == []
    fastly.put("specs", KEY, of_size(1000))
    fetched(adapter)
    assert warnings(caplog) == []  # once per adapter
    fetched(adapter_for(fastly, max_value_bytes=1000))
    assert len(warnings(caplog)) == 1


def test_a_kv_store_value_beyond_its_limit(fastly: Emulator) -> None:
    fastly.create_kv_store("specs")
    fastly.put("specs", KEY, of_size(1001))
    text = str(failure(adapter_for(fastly, max_value_bytes=1000)))
    for remedy in ("Target App", "compressed", "chunks", "raise max_value_bytes"):
        assert remedy in text
    fastly.fault(Fault(status=413))
    text = str(failure(adapter_for(fastly)))
    assert [remedy for remedy in ("Target App", "compressed", "chunks") if remedy not in text] == []


def test_a_config_store_value_near_its_limit(fastly: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    fastly.create_config_store("specs", {KEY: of_size(6399).decode()})
    adapter = adapter_for(fastly, store_type="config")
    fetched(adapter)
    assert warnings(caplog) == []
    # Characters count, not bytes.
    fastly.set_config_item("specs", KEY, of_size(6399).decode().replace("x" * 100, "\N{SNOWMAN}" * 100))
    fetched(adapter)
    assert warnings(caplog) == []
    fastly.set_config_item("specs", KEY, of_size(6400).decode())
    for _ in range(2):
        fetched(adapter)
    (said,) = warnings(caplog)
    assert "the value has 6,400 of the 8,000 characters a Config Store holds; before it is full, " in said
    for remedy in ("Target App", "compressed", "chunks", "KV Store"):
        assert remedy in said


@pytest.mark.parametrize(("chunks", "warns"), [(398, False), (399, True), (499, True)])
def test_a_config_store_nearly_full_of_chunks(
    fastly: Emulator, caplog: pytest.LogCaptureFixture, chunks: int, warns: bool
) -> None:
    fastly.create_config_store("specs")
    value = b'{"x":"' + random.Random(1).randbytes(100 * chunks).hex().encode()[8:] + b'"}'
    manifest = put_chunks(
        fastly, "specs", value, "config", encoding="text", chunk_size=200, most_chunks=chunks
    )
    assert len(manifest.chunks) == chunks
    adapter = adapter_for(fastly, store_type="config")
    fetched(adapter)
    fetched(adapter)
    said = warnings(caplog)
    assert len(said) == warns
    if warns:
        assert f"the config specs take {chunks + 1} of the 500 items a Config Store holds" in said[0]
        assert [remedy for remedy in ("Target App", "compressed", "KV Store") if remedy not in said[0]] == []


def test_chunks_of_a_kv_store_have_room(fastly: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    fastly.create_kv_store("specs")
    put_chunks(fastly, "specs", of_size(3000), "kv", chunk_size=1000)
    fetched(adapter_for(fastly, max_value_bytes=1000))
    assert warnings(caplog) == []


def test_where_advice_begins() -> None:
    assert kv_advice(19_999_999, 25_000_000) is None
    assert (kv_advice(20_000_000, 25_000_000) or "").startswith(
        "the value has 20,000,000 of 25,000,000 bytes; "
    )
    assert config_advice(6399, 1) is None
    assert config_advice(0, 399) is None
    assert config_advice(0, 400) is not None
