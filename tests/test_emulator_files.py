from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from api_client import KV, Api, StandingClock
from statsig_fastly.adapters.fastly_toml import load_local_stores
from statsig_fastly.emulator import Emulator
from statsig_fastly.errors import StatsigFastlyError

if TYPE_CHECKING:
    from pathlib import Path

ODD_KEYS = ["a/b", "../up", "A", "a", "é🍉", "k" * 1024, "con", "a:b*<>", " ", ".", "a.item", "line\nfeed"]


def test_stores_survive_a_restart(tmp_path: Path, clock: StandingClock) -> None:
    directory = tmp_path / "new" / "stores"
    with Emulator(directory=directory, clock=clock) as emulator, Api(emulator) as api:
        store_id = emulator.create_kv_store("specs")
        api.call("PUT", f"{KV}/{store_id}/keys/k", b"\n\x00{}\n", headers={"metadata": "lcut=1"})
        api.call("PUT", f"{KV}/{store_id}/keys/short", b"", headers={"time_to_live_sec": "10"})
        api.call("PUT", f"{KV}/{store_id}/keys/gone", b"v")
        api.call("DELETE", f"{KV}/{store_id}/keys/gone")
        dropped = emulator.create_kv_store("dropped")
        api.call("DELETE", f"{KV}/{dropped}")
        config_id = emulator.create_config_store("cfg", {"a": "é"})
        api.call("DELETE", f"/resources/stores/config/{emulator.create_config_store('dropped')}")
        described = api.json("GET", f"{KV}/{store_id}")
        item = emulator.item("specs", "k")

    with Emulator(directory=directory, clock=clock) as again, Api(again) as api:
        assert again.kv_stores() == {"specs": store_id}
        assert api.json("GET", f"{KV}/{store_id}") == described
        assert again.keys("specs") == ["k", "short"]
        assert again.item("specs", "k") == item
        assert again.config_stores() == {"cfg": config_id}
        assert again.config_items("cfg") == {"a": "é"}
        assert item is not None
        assert again.put("specs", "k", b"v") == item.generation + 1
        clock.now += 10
        assert again.keys("specs") == ["k"]
        api.call("PUT", f"{KV}/{store_id}", b'{"name":"renamed"}')
    assert list(Emulator(directory=directory).kv_stores()) == ["renamed"]


def test_every_key_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = Emulator(directory=tmp_path)
    store_id = first.create_kv_store("specs")
    for number, key in enumerate(ODD_KEYS):
        first.put("specs", key, str(number).encode())
    files = list((tmp_path / "kv" / store_id).glob("*.item"))
    assert len({file.name.lower() for file in files}) == len(ODD_KEYS)
    second = Emulator(directory=tmp_path)
    assert {key: second.get("specs", key) for key in second.keys("specs")} == {
        key: str(number).encode() for number, key in enumerate(ODD_KEYS)
    }


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    first = Emulator(directory=tmp_path)
    folder = tmp_path / "kv" / first.create_kv_store("specs")
    first.put("specs", "k", b"whole")
    (folder / ".tmp-half").write_bytes(b'{"key": "k", "me')
    second = Emulator(directory=tmp_path)
    assert second.get("specs", "k") == b"whole"
    assert not (folder / ".tmp-half").exists()


def test_a_write_that_cannot_be_kept_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator(directory=tmp_path) as emulator, Api(emulator) as api:
        store_id = emulator.create_kv_store("specs")
        emulator.put("specs", "k", b"old")
        (item,) = (tmp_path / "kv" / store_id).glob("*.item")
        item.unlink()
        item.mkdir()
        (item / "in the way").touch()
        assert api.call("PUT", f"{KV}/{store_id}/keys/k", b"new").status == 500
        assert emulator.get("specs", "k") == b"old"
        assert [path.name for path in (tmp_path / "kv" / store_id).glob(".tmp-*")] == []
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["aiohttp.server"]


@pytest.mark.parametrize("content", [b"", b"not json", b"[]\nbody", b'{"key":"k"}\nbody', b'{"key":"k"}'])
def test_a_foreign_file_is_named(tmp_path: Path, content: bytes) -> None:
    store_id = Emulator(directory=tmp_path).create_kv_store("specs")
    foreign = tmp_path / "kv" / store_id / "x.item"
    foreign.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.item: not "):
        Emulator(directory=tmp_path)


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Emulator(directory=tmp_path / "file" / "stores")


MANIFEST = """
manifest_version = 3
[local_server.kv_stores]
empty = []
specs = [
  { key = "text", data = "é", metadata = "lcut=1" },
  { key = "bytes", file = "value.bin" },
]
[local_server.config_stores.cfg]
format = "inline-toml"
[local_server.config_stores.cfg.contents]
a = "b"
"""


def test_seeding_from_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "value.bin").write_bytes(b"\xff\x00")
    (tmp_path / "fastly.toml").write_text(MANIFEST, encoding="utf-8")
    emulator = Emulator()
    emulator.create_kv_store("specs")
    emulator.put("specs", "kept", b"v")
    emulator.create_config_store("cfg", {"kept": "v"})
    emulator.seed_from_fastly_toml(tmp_path / "fastly.toml")
    assert sorted(emulator.kv_stores()) == ["empty", "specs"]
    assert emulator.keys("empty") == []
    text = emulator.item("specs", "text")
    assert text is not None
    assert (text.body, text.metadata) == ("é".encode(), "lcut=1")
    assert emulator.get("specs", "bytes") == b"\xff\x00"
    assert emulator.get("specs", "kept") == b"v"
    assert emulator.config_items("cfg") == {"kept": "v", "a": "b"}


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    emulator = Emulator()
    with pytest.raises((StatsigFastlyError, ValueError, OSError), match=r"nowhere\.toml"):
        emulator.seed_from_fastly_toml(tmp_path / "nowhere.toml")
    assert emulator.kv_stores() == {}


def test_a_dumped_store_is_what_a_manifest_can_name(
    tmp_path: Path, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumped = tmp_path / "kv.json"
    emulator = Emulator(clock=clock)
    emulator.create_kv_store("specs")
    emulator.put("specs", "text", "é\n".encode(), "lcut=1")
    emulator.put("specs", "bytes", b"\xff\x00")
    emulator.put("specs", "expired", b"", ttl=1)
    clock.now += 1
    emulator.dump_kvstore_json(dumped, "specs")
    found = json.loads(dumped.read_text(encoding="utf-8"))
    assert found["text"] == {"data": "é\n", "metadata": "lcut=1"}
    assert set(found) == {"text", "bytes"}

    manifest = tmp_path / "fastly.toml"
    manifest.write_text('[local_server.kv_stores]\nspecs = { file = "kv.json", format = "json" }\n')
    monkeypatch.chdir(tmp_path)
    items = load_local_stores(manifest).kv_stores["specs"]
    assert {key: (item.body, item.metadata) for key, item in items.items()} == {
        "text": ("é\n".encode(), "lcut=1"),
        "bytes": (b"\xff\x00", ""),
    }
    with pytest.raises(KeyError, match="nowhere"):
        emulator.dump_kvstore_json(dumped, "nowhere")
