"""Between an emulator and the files Fastly's own local tools use.

In: a `fastly.toml`, or a KV store of the emulator. Out: stores in the emulator, or a JSON file that a
`fastly.toml` can name under `[local_server.kv_stores]`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from statsig_fastly.adapters.fastly_toml import load_local_stores

if TYPE_CHECKING:
    from pathlib import Path

    from statsig_fastly.emulator.server import Emulator

__all__ = ["dump_kvstore_json", "seed_from_fastly_toml"]


def seed_from_fastly_toml(emulator: Emulator, path: Path) -> None:
    """Creates what the manifest describes; see `Emulator.seed_from_fastly_toml`."""
    found = load_local_stores(path)
    for name, items in found.kv_stores.items():
        if name not in emulator.kv_stores():
            emulator.create_kv_store(name)
        for key, item in items.items():
            emulator.put(name, key, item.body, item.metadata)
    for name, values in found.config_stores.items():
        if name not in emulator.config_stores():
            emulator.create_config_store(name)
        for key, value in values.items():
            emulator.set_config_item(name, key, value)


def dump_kvstore_json(emulator: Emulator, path: Path, store: str) -> None:
    """Writes a KV store to a JSON file; see `Emulator.dump_kvstore_json`."""
    dumped: dict[str, dict[str, str]] = {}
    for key in emulator.keys(store):
        item = emulator.item(store, key)
        if item is None or item.body is None:  # expired or deleted meanwhile
            continue
        try:
            dumped[key] = {"data": item.body.decode()}
        except UnicodeDecodeError:
            # `data` is text only. The path is absolute because the tools that read such a file resolve
            # relative ones against their working directory.
            beside = path.absolute().with_name(f"{path.name}.files")
            beside.mkdir(exist_ok=True)
            value = beside / hashlib.sha256(key.encode()).hexdigest()[:32]
            value.write_bytes(item.body)
            dumped[key] = {"file": str(value)}
        if item.metadata:
            dumped[key]["metadata"] = item.metadata
    path.write_text(json.dumps(dumped, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
