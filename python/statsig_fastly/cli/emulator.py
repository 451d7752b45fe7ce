"""`statsig-fastly emulator`: serves local KV and Config Stores until it is told to stop.

In: options and files to seed the stores with. Out: the URL on stdout, requests answered on it.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from types import FrameType

    from statsig_fastly.emulator import Emulator

__all__ = ["register"]

_DUMMY_TOKEN = "emulator-token"  # noqa: S105 - opens nothing but a local emulator
# Waiting without an end cannot be interrupted by Ctrl-C on Windows.
_WAIT_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("emulator")(emulator)


def emulator(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 lets the system pick one.")
    ] = 0,
    directory: Annotated[
        Path | None,
        typer.Option(help="Keep the stores in this directory; without it they are gone at the end."),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="FASTLY_API_TOKEN", show_envvar=True, help="Value of the Fastly-Key header to accept."
        ),
    ] = _DUMMY_TOKEN,
    read_only_token: Annotated[
        list[str] | None, typer.Option(help="A token that may only read. Repeatable.")
    ] = None,
    fastly_toml: Annotated[
        Path | None, typer.Option(help="Create the local stores of this fastly.toml.")
    ] = None,
    kv: Annotated[
        list[str] | None,
        typer.Option(metavar="STORE/KEY=FILE", help="Put a file into a KV Store as an item. Repeatable."),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STORE[=FILE]",
            help="Create a Config Store, with the entries of a flat JSON object in FILE. Repeatable.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Describe what is served in one line of JSON.")
    ] = False,
) -> None:
    """Serve a local stand-in for Fastly's KV Store and Config Store APIs, and for Statsig's event endpoint.

    The first line on stdout ends with the URL. Stop it with Ctrl-C or SIGTERM.

    Example: statsig-fastly emulator --port 7878 --kv my-store/statsig-1a2b=specs.json

    Ends with 0 when it is stopped, and 2 if the command line is wrong or it cannot listen there.
    """
    from statsig_fastly.emulator import Emulator
    from statsig_fastly.errors import StatsigFastlyError

    items = [_kv_item(argument) for argument in kv or ()]
    config_stores = [_config_store(argument) for argument in config or ()]
    try:
        serving = Emulator(
            host, port, directory=directory, tokens=(token,), read_only_tokens=tuple(read_only_token or ())
        )
        if fastly_toml is not None:
            serving.seed_from_fastly_toml(fastly_toml)
        _seed(serving, items, config_stores)
    except (OSError, ValueError, StatsigFastlyError) as error:
        _fail(str(error))
    stopped = _stop_signal()
    try:
        serving.start()
    except (OSError, OverflowError) as error:
        _fail(f"cannot listen on {host} port {port}: {error}")
    try:
        _announce(serving, dummy_token=token == _DUMMY_TOKEN, as_json=as_json)
        while not stopped.wait(_WAIT_SECONDS):
            pass
    finally:
        serving.stop()


@dataclass(frozen=True, slots=True)
class _KvItem:
    store: str
    key: str
    body: bytes


def _kv_item(argument: str) -> _KvItem:
    from statsig_fastly.emulator.exchange import Refused
    from statsig_fastly.emulator.kv import check_key

    # A key may hold slashes, but no store name is expected to; a key with a '=' needs --fastly-toml.
    store, slash, rest = argument.partition("/")
    key, equals, file = rest.partition("=")
    if not (store and slash and key and equals and file):
        _fail(f"--kv: expected STORE/KEY=FILE, got {argument!r}")
    try:
        check_key(key)
    except Refused as refused:
        _fail(f"--kv {argument!r}: {refused.reason}")
    return _KvItem(store, key, _read("--kv", file))


def _config_store(argument: str) -> tuple[str, dict[str, str]]:
    store, equals, file = argument.partition("=")
    if not store or (equals and not file):
        _fail(f"--config: expected STORE or STORE=FILE, got {argument!r}")
    if not file:
        return store, {}
    try:
        found = json.loads(_read("--config", file))
    except ValueError:
        _fail(f"--config {argument!r}: {file} is not JSON")
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        _fail(f"--config {argument!r}: {file}: expected a JSON object whose values are strings")
    return store, found


def _read(option: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        _fail(f"{option}: cannot read {file}: {error.strerror}")


def _seed(serving: Emulator, items: list[_KvItem], config_stores: list[tuple[str, dict[str, str]]]) -> None:
    for item in items:
        if item.store not in serving.kv_stores():
            serving.create_kv_store(item.store)
        serving.put(item.store, item.key, item.body)
    for store, entries in config_stores:
        if store not in serving.config_stores():
            serving.create_config_store(store)
        for key, value in entries.items():
            serving.set_config_item(store, key, value)


def _stop_signal() -> threading.Event:
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


def _announce(serving: Emulator, *, dummy_token: bool, as_json: bool) -> None:
    kv_stores, config_stores = serving.kv_stores(), serving.config_stores()
    if as_json:
        described: dict[str, Any] = {
            "url": serving.url,
            "kv_stores": {
                name: {"id": store_id, "keys": serving.keys(name)} for name, store_id in kv_stores.items()
            },
            "config_stores": {
                name: {"id": store_id, "keys": sorted(serving.config_items(name))}
                for name, store_id in config_stores.items()
            },
        }
        _print(json.dumps(described))
        return
    _print(f"Fastly emulator listening on {serving.url}")
    for name, store_id in kv_stores.items():
        _print(f"  KV Store {name} (id {store_id}): {_listed(serving.keys(name))}")
    for name, store_id in config_stores.items():
        _print(f"  Config Store {name} (id {store_id}): {_listed(sorted(serving.config_items(name)))}")
    if not kv_stores and not config_stores:
        _print("  no stores yet")
    _print(f"  events are collected at {serving.url}/v1/log_event")
    store, key = _example(serving)
    _print("Point an adapter at it:")
    if dummy_token:
        _print(f"  export FASTLY_API_TOKEN={_DUMMY_TOKEN}")
    _print(f'  FastlyDataAdapter("{store}", "{key}", api="{serving.url}")')


def _example(serving: Emulator) -> tuple[str, str]:
    for name in serving.kv_stores():
        if keys := serving.keys(name):
            return name, keys[0]
    return next(iter(serving.kv_stores()), "my-kv-store"), "statsig-1a2b3c"


def _listed(keys: list[str], most: int = 5) -> str:
    if not keys:
        return "empty"
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more


def _print(line: str) -> None:
    # A pipe is buffered by the block, and whoever reads it waits for the first line.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"statsig-fastly emulator: {message}\n")
    raise typer.Exit(2)
