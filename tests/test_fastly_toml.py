from __future__ import annotations

import gzip
import hashlib
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import brotli
import pytest
import zstandard

from small_project import payload
from statsig_fastly.adapters import Payload, SpecAdapter
from statsig_fastly.adapters.fastly_toml import FastlyTomlAdapter, LocalItem, LocalStores, load_local_stores
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]

KEY = "statsig-1a2b3c"
SPECS = b'{"time":1,"name":"\xc3\xbc"}'


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a `fastly.toml`, and other files by name, into what is then the working directory."""
    monkeypatch.chdir(tmp_path)

    def write_files(toml: str, files: dict[str, bytes | str] | None = None) -> Path:
        (tmp_path / "fastly.toml").write_text(toml, encoding="utf-8")
        for name, content in (files or {}).items():
            body = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(body)
        return tmp_path / "fastly.toml"

    return write_files


def problem_with(path: Path | str, root: Path | None = None) -> str:
    with pytest.raises(AdapterError) as caught:
        load_local_stores(path, root=root)
    assert (caught.value.status, caught.value.retryable) == (None, False)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


# What a manifest may say


def test_every_spelling_of_a_kv_store(write: Write) -> None:
    path = write(
        """
        manifest_version = 3
        name = "service"
        unknown = { a = 1 }

        [local_server.backends.origin]
        url = "https://example.com"

        [local_server.kv_stores]
        empty = []
        inline = [
          { key = "text", data = "héllo" },
          { key = "file", file = "./spec.json" },
          { key = "old", path = "spec.json" },
          { key = "described", data = "{}", metadata = "lcut=1 ü" },
          { key = "a/b c", data = "", later = true },
        ]
        external = { file = "kv.json", format = "json" }

        [[local_server.kv_stores.tables]]
        key = "statsig-abc"
        file = "binary"
        metadata = ""

        [[local_server.kv_stores.tables]]
        key = "second"
        data = "2"

        [local_server.kv_stores.table]
        file = "none.json"
        format = "json"
        """,
        {
            "spec.json": SPECS,
            "binary": bytes(range(256)),
            "none.json": "{}",
            "kv.json": json.dumps(
                {
                    "short": "value ü",
                    "data": {"data": "{}"},
                    "file": {"file": "spec.json", "metadata": "m", "ignored": 1},
                }
            ),
        },
    )
    assert load_local_stores(path) == LocalStores(
        kv_stores={
            "empty": {},
            "inline": {
                "text": LocalItem("héllo".encode()),
                "file": LocalItem(SPECS, ""),
                "old": LocalItem(SPECS, ""),
                "described": LocalItem(b"{}", "lcut=1 ü"),
                "a/b c": LocalItem(b"", ""),
            },
            "external": {
                "short": LocalItem("value ü".encode(), ""),
                "data": LocalItem(b"{}", ""),
                "file": LocalItem(SPECS, "m"),
            },
            "tables": {"statsig-abc": LocalItem(bytes(range(256)), ""), "second": LocalItem(b"2", "")},
            "table": {},
        },
        config_stores={},
    )


def test_every_spelling_of_a_config_store(write: Write) -> None:
    path = write(
        """
        [local_server.config_stores.inline]
        format = "inline-toml"
        [local_server.config_stores.inline.contents]
        a = "b"
        "c d" = ""
        [local_server.config_stores.none]
        format = "inline-toml"
        contents = {}
        [local_server.config_stores.file]
        format = "json"
        file = "cfg.json"
        """,
        {"cfg.json": '{"x": "y", "ü": "8"}'},
    )
    assert load_local_stores(path) == LocalStores(
        {}, {"inline": {"a": "b", "c d": ""}, "none": {}, "file": {"x": "y", "ü": "8"}}
    )


@pytest.mark.parametrize("name", ["kv_stores", "object_stores", "object_store"])
def test_names_of_the_kv_section(write: Write, name: str) -> None:
    path = write(f'[local_server.{name}]\ns = [{{ key = "k", data = "v" }}]')
    assert load_local_stores(path).kv_stores == {"s": {"k": LocalItem(b"v")}}


@pytest.mark.parametrize("name", ["config_stores", "dictionaries"])
def test_names_of_the_config_section(write: Write, name: str) -> None:
    path = write(f'[local_server.{name}.s]\nformat = "inline-toml"\ncontents = {{ k = "v" }}')
    assert load_local_stores(path).config_stores == {"s": {"k": "v"}}


@pytest.mark.parametrize("text", ["", "manifest_version = 2", "[local_server]", "[setup.kv_stores.s]"])
def test_a_manifest_without_stores(write: Write, text: str) -> None:
    assert load_local_stores(write(text)) == LocalStores({}, {})


def test_the_last_of_two_items_with_one_key_counts(write: Write) -> None:
    path = write('[local_server.kv_stores]\ns = [{ key = "k", data = "1" }, { key = "k", data = "2" }]')
    assert load_local_stores(path).kv_stores["s"] == {"k": LocalItem(b"2")}


def test_relative_paths_start_at_the_working_directory_or_at_root(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        '[local_server.kv_stores]\ns = [{ key = "k", file = "sub/v" }]',
        {"sub/v": b"here", "elsewhere/sub/v": b"there"},
    )
    assert load_local_stores("fastly.toml").kv_stores["s"]["k"].body == b"here"
    assert load_local_stores(path, root="elsewhere").kv_stores["s"]["k"].body == b"there"
    assert load_local_stores(path, root=tmp_path / "elsewhere").kv_stores["s"]["k"].body == b"there"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_local_stores(path).kv_stores["s"]["k"].body == b"there"
    monkeypatch.chdir(tmp_path / "sub")
    text = problem_with(path)
    assert f"there is {tmp_path / 'sub' / 'v'}" in text
    assert "at root= if given" in text


def test_an_absolute_path_is_used_as_it_is(write: Write, tmp_path: Path) -> None:
    path = write(f'[local_server.kv_stores]\ns = [{{ key = "k", file = "{tmp_path}/v" }}]', {"v": b"1"})
    assert load_local_stores(path, root="/nowhere").kv_stores["s"]["k"].body == b"1"


def test_stores_and_items_are_frozen(write: Write) -> None:
    stores = load_local_stores(write('[local_server.kv_stores]\ns = [{ key = "k", data = "v" }]'))
    with pytest.raises(AttributeError):
        stores.kv_stores = {}  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(AttributeError):
        stores.kv_stores["s"]["k"].body = b""  # type: ignore[misc]  # wrong on purpose


# Ways to get it wrong

KV = "[local_server.kv_stores]\n"
CFG = "[local_server.config_stores.cfg]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = ", "expected TOML: "),
        ("manifest_version = 4", "field 'manifest_version': expected a number up to 3, got 4"),
        ("manifest_version = '3'", "field 'manifest_version': expected a number up to 3, got '3'"),
        ("manifest_version = -1", "field 'manifest_version': expected a number up to 3, got -1"),
        ("manifest_version = true", "field 'manifest_version': expected a number up to 3, got True"),
        ("manifest_version = []", "field 'manifest_version': expected a number up to 3, got an array"),
        ("local_server = 5", "field 'local_server': expected a table, got a number"),
        ("local_server.kv_stores = []", "'local_server.kv_stores': expected a table of stores, got an array"),
        ("local_server.dictionaries = 'x'", "'local_server.dictionaries': expected a table of stores"),
        (
            "local_server = { kv_stores = {}, object_stores = {} }",
            "local_server has 'kv_stores' and 'object_stores', which are names for the same thing; use one",
        ),
        (
            "local_server = { config_stores = {}, dictionaries = {} }",
            "local_server has 'config_stores' and 'dictionaries', which are names for the same thing",
        ),
        (KV + "s = 5", "local_server.kv_stores store 's': expected an array of items, or a table with"),
        (KV + "s = {}", "store 's': expected an array of items, or a table with both 'file' and 'format'"),
        (KV + "s = { file = 'a' }", "with both 'file' and 'format', got a table without 'format'"),
        (KV + "s = { format = 'json' }", "with both 'file' and 'format', got a table without 'file'"),
        (
            KV + "s = { file = 5, format = 'json' }",
            "store 's', field 'file': expected a string, got a number",
        ),
        (KV + "s = { file = 'a', format = 5 }", "store 's', field 'format': expected a string, got a number"),
        (
            KV + "s = { file = 'a', format = 'toml' }",
            "store 's', field 'format': expected 'json', got 'toml'",
        ),
        (KV + "s = { file = '', format = 'json' }", "store 's', field 'file': expected the path of a file"),
        (KV + "s = { file = 'no.json', format = 'json' }", "no.json: No such file or directory"),
        (KV + "s = [5]", "store 's', item 1: expected a table, got a number"),
        (KV + "s = [{ data = 'a' }]", "store 's', item 1: the field 'key' is missing"),
        (KV + "s = [{ key = 'a', data = 'a' }, { key = 5 }]", "item 2, field 'key': expected a string"),
        (KV + "s = [{ key = 'a' }]", "key 'a': expected exactly one of 'data' and 'file', got neither"),
        (KV + "s = [{ key = 'a', data = '', file = 'b' }]", "exactly one of 'data' and 'file', got both"),
        (KV + "s = [{ key = 'a', data = '', path = 'b' }]", "exactly one of 'data' and 'file', got both"),
        (
            KV + "s = [{ key = 'a', data = 5 }]",
            "store 's', key 'a', field 'data': expected a string, got a n",
        ),
        (KV + "s = [{ key = 'a', data = true }]", "key 'a', field 'data': expected a string, got a boolean"),
        (KV + "s = [{ key = 'a', file = [] }]", "key 'a', field 'file': expected a string, got an array"),
        (KV + "s = [{ key = 'a', path = 1.5 }]", "key 'a', field 'path': expected a string, got a number"),
        (KV + "s = [{ key = 'a', data = 1979-05-27 }]", "field 'data': expected a string, got a date"),
        (KV + "s = [{ key = 'a', file = 'no' }]", "store 's', key 'a', field 'file': "),
        (KV + "s = [{ key = 'a', file = '.' }]", "Is a directory"),
        (KV + 's = [{ key = "a", file = "a\\u0000" }]', "field 'file': expected the path of a file"),
        (KV + "s = [{ key = 'a', data = '', metadata = 5 }]", "key 'a', field 'metadata': expected a string"),
        (
            KV + "s = [{ key = 'a', data = '', metadata = '" + "ü" * 1001 + "' }]",
            "at most 2000 bytes, got 2002",
        ),
        (KV + 's = [{ key = "a", data = "", metadata = "a\\nb" }]', "expected text without line breaks"),
        (KV + "s = [{ key = '', data = '' }]", "key '': a key must have 1 to 1024 bytes of UTF-8 (it has 0)"),
        (KV + "s = [{ key = '..', data = '' }]", "key '..': a key must not be '.' or '..'"),
        (KV + "s = [{ key = 'a|b', data = '' }]", "key 'a|b': a key must not contain '|'"),
        (KV + 's = [{ key = "a\\nb", data = "" }]', "a key must not contain LF"),
        (KV + "s = [{ key = 'a/../b', data = '' }]", "'.' or '..' as a path segment in local stores"),
        (KV + "s = [{ key = 'a/.', data = '' }]", "'.' or '..' as a path segment in local stores"),
        (KV + "s = [{ key = ' ', data = '' }]", "a single space or control character in local stores"),
        (KV + "s = [{ key = '.well-known/acme-challenge', data = '' }]", "a key must not start with"),
        (KV + "s = [{ key = '" + "k" * 1025 + "', data = '' }]", "a key must have 1 to 1024 bytes"),
        ("local_server.config_stores.cfg = 5", "config_stores store 'cfg': expected a table, got a number"),
        (CFG, "store 'cfg': the field 'format' is missing; expected 'inline-toml' or 'json'"),
        (CFG + "format = 5", "store 'cfg', field 'format': expected a string, got a number"),
        (
            CFG + "format = 'toml'",
            "store 'cfg', field 'format': expected 'inline-toml' or 'json', got 'toml'",
        ),
        (CFG + "format = 'json'", "store 'cfg': the field 'file' is missing; format 'json' needs it"),
        (CFG + "format = 'inline-toml'", "the field 'contents' is missing; format 'inline-toml' needs it"),
        (CFG + "format = 'inline-toml'\ncontents = []", "field 'contents': expected a table, got an array"),
        (
            CFG + "format = 'inline-toml'\ncontents = { a = 5 }",
            "store 'cfg', key 'a': expected a string, got",
        ),
        (
            CFG + "format = 'inline-toml'\nfile = 'a'\nextra = 5\ncontents = {}",
            "store 'cfg': expected only 'format' and 'contents', got also 'extra', 'file'",
        ),
        (CFG + "format = 'json'\nfile = 5", "store 'cfg', field 'file': expected a string, got a number"),
        (CFG + "format = 'json'\nfile = ''", "store 'cfg', field 'file': expected the path of a file"),
        (CFG + "format = 'json'\nfile = 'no'", "store 'cfg', field 'file': "),
        (
            CFG + "format = 'inline-toml'\ncontents = { '" + "k" * 257 + "' = '' }",
            "at most 256 characters, got",
        ),
        (CFG + "format = 'inline-toml'\ncontents = { a = '" + "v" * 8001 + "' }", "at most 8000 characters"),
    ],
)
def test_mistakes_in_the_manifest(write: Write, text: str, says: str) -> None:
    assert says in problem_with(write(text))


def test_limits_of_config_stores_count_characters(write: Write) -> None:
    path = write(CFG + "format = 'inline-toml'\ncontents = { '" + "ü" * 256 + "' = '" + "ü" * 8000 + "' }")
    assert load_local_stores(path).config_stores["cfg"] == {"ü" * 256: "ü" * 8000}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a JSON object in "),
        ("{", "expected a JSON object in "),
        (b'{"a": "\xff"}', "expected a JSON object in "),
        ("[" * 100_000, "expected a JSON object in "),
        ("[]", "got an array"),
        ("null", "got null"),
        ('{"a": 5}', "key 'a': expected a string or an object, got a number"),
        ('{"a": null}', "key 'a': expected a string or an object, got null"),
        ('{"a": ["b"]}', "key 'a': expected a string or an object, got an array"),
        ('{"a": {}}', "key 'a': expected exactly one of 'data' and 'file', got neither"),
        ('{"a": {"path": "b"}}', "key 'a': expected exactly one of 'data' and 'file', got neither"),
        ('{"a": {"data": "", "file": ""}}', "key 'a': expected exactly one of 'data' and 'file', got both"),
        ('{"a": {"data": {}}}', "key 'a', field 'data': expected a string, got a table"),
        ('{"a": {"file": 5}}', "key 'a', field 'file': expected a string, got a number"),
        ('{"a": {"data": "", "metadata": null}}', "key 'a', field 'metadata': expected a string, got null"),
        ('{"a": "\\ud800"}', "key 'a', field 'data': expected valid Unicode"),
        ('{"\\ud800": "a"}', "a key must be valid Unicode"),
        ('{"a?": "a"}', "key 'a?': a key must not contain '?'"),
        ('{"a": {"file": "no"}}', "key 'a', field 'file': "),
    ],
)
def test_mistakes_in_the_file_of_a_kv_store(write: Write, text: str | bytes, says: str) -> None:
    message = problem_with(write(KV + "s = { file = 'kv.json', format = 'json' }", {"kv.json": text}))
    assert says in message
    assert "kv_stores store 's'" in message
    assert "kv.json" in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "expected a JSON object in "),
        ("nonsense", "expected a JSON object in "),
        ('{"a": 5}', "key 'a': expected a string, got a number"),
        ('{"a": {"data": "x"}}', "key 'a': expected a string, got a table"),
        ('{"a": "' + "v" * 8001 + '"}', "key 'a': expected a value of at most 8000 characters, got 8001"),
    ],
)
def test_mistakes_in_the_file_of_a_config_store(write: Write, text: str, says: str) -> None:
    message = problem_with(write(CFG + "format = 'json'\nfile = 'cfg.json'", {"cfg.json": text}))
    assert says in message
    assert "config_stores store 'cfg'" in message
    assert "cfg.json" in message


def test_a_manifest_that_cannot_be_read(write: Write, tmp_path: Path) -> None:
    assert problem_with(tmp_path / "no.toml").endswith("no.toml: No such file or directory")
    assert problem_with(tmp_path).endswith("Is a directory")
    path = write("")
    path.write_bytes(b"a = '\xff'")
    assert problem_with(path).endswith("expected UTF-8, got another byte at offset 5")
    path.write_bytes(b"a = " + b"[" * 100_000)
    assert "expected TOML" in problem_with(path)


# The adapter


def adapter_for(
    store: str = "specs", key: str = KEY, store_type: Literal["kv", "config"] | None = None
) -> FastlyTomlAdapter:
    return FastlyTomlAdapter(store=store, config_spec_key=key, store_type=store_type)


def failure(adapter: FastlyTomlAdapter) -> str:
    with pytest.raises(AdapterError) as caught:
        adapter.fetch()
    assert (caught.value.status, caught.value.retryable) == (None, False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_kv_item(write: Write) -> None:
    path = write(
        KV + f"specs = [{{ key = '{KEY}', file = 'spec.json', metadata = 'lcut=1' }}]", {"spec.json": SPECS}
    )
    adapter = adapter_for()
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "FastlyTOML"
    assert (adapter.store, adapter.config_spec_key) == ("specs", KEY)
    assert repr(adapter) == f"FastlyTomlAdapter('{path}', store='specs', config_spec_key='{KEY}')"
    payload = adapter.fetch()
    assert payload == Payload(SPECS, hashlib.sha256(SPECS).hexdigest(), "lcut=1")
    assert payload is not None
    assert adapter.fetch(payload.version) is None
    assert adapter.fetch("another") == payload
    adapter.close()
    adapter.close()


def test_a_config_item(write: Write) -> None:
    write(CFG + f"format = 'inline-toml'\ncontents = {{ {KEY} = '{SPECS.decode()}' }}")
    payload = adapter_for("cfg").fetch()
    assert payload == Payload(SPECS, hashlib.sha256(SPECS).hexdigest(), None)


def test_edits_are_seen(write: Write) -> None:
    manifest = (
        KV + f"specs = {{ file = 'kv.json', format = 'json' }}\nother = [{{ key = '{KEY}', data = '{{}}' }}]"
    )
    write(manifest, {"kv.json": json.dumps({KEY: {"file": "spec.json"}}), "spec.json": SPECS})
    adapter = adapter_for()
    first = adapter.fetch()
    assert first is not None

    Path("spec.json").write_bytes(b'{"time":2}')
    second = adapter.fetch(first.version)
    assert second is not None
    assert second.body == b'{"time":2}'

    Path("kv.json").write_text(json.dumps({KEY: '{"time":3}'}))
    third = adapter.fetch(second.version)
    assert third is not None
    assert third.body == b'{"time":3}'

    write(KV + f"specs = [{{ key = '{KEY}', data = '{{\"time\":4}}' }}]")
    fourth = adapter.fetch(third.version)
    assert fourth is not None
    assert fourth.body == b'{"time":4}'

    Path("fastly.toml").unlink()
    assert failure(adapter).endswith("fastly.toml: No such file or directory")


def test_a_new_working_directory_changes_nothing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(KV + f"specs = [{{ key = '{KEY}', file = 'spec.json' }}]", {"spec.json": SPECS, "sub/x": b""})
    adapter = adapter_for()
    monkeypatch.chdir(tmp_path / "sub")  # as a daemon does
    payload = adapter.fetch()
    assert payload is not None
    assert payload.body == SPECS


def test_root(write: Write) -> None:
    write(KV + f"specs = [{{ key = '{KEY}', file = 'spec.json' }}]", {"deep/spec.json": SPECS})
    assert "deep" not in failure(adapter_for())
    payload = FastlyTomlAdapter("fastly.toml", store="specs", config_spec_key=KEY, root="deep").fetch()
    assert payload is not None
    assert payload.body == SPECS


def test_a_name_of_both_kinds(write: Write) -> None:
    write(
        KV + f"specs = [{{ key = '{KEY}', data = '{{\"kv\":1}}' }}]\n[local_server.config_stores.specs]\n"
        f"format = 'inline-toml'\ncontents = {{ {KEY} = '{{\"cfg\":1}}' }}"
    )
    bodies = {}
    for store_type in (None, "kv", "config"):
        payload = adapter_for(store_type=store_type).fetch()
        assert payload is not None
        bodies[store_type] = payload.body
    assert bodies == {None: b'{"kv":1}', "kv": b'{"kv":1}', "config": b'{"cfg":1}'}
    assert repr(adapter_for(store_type="config")).endswith(", store_type='config')")


def test_only_the_item_asked_for_is_read(write: Write) -> None:
    """Another item whose file is not there (yet) is no reason to fail."""
    write(
        KV + f"specs = [{{ key = '{KEY}', data = '{{}}' }}, {{ key = 'other', file = 'missing' }}]\n"
        "broken = { file = 'missing', format = 'json' }"
    )
    assert adapter_for().fetch() is not None


def test_a_missing_store_names_those_there_are(write: Write) -> None:
    path = write(KV + "b = []\na = []\n" + CFG + "format = 'inline-toml'\ncontents = {}")
    start = f"reading key '{KEY}' of local store 'specs' in {path}: the file has no such store; "
    assert failure(adapter_for()) == f"{start}kv stores: 'a', 'b', config stores: 'cfg'"
    assert failure(adapter_for(store_type="kv")) == f"{start}kv stores: 'a', 'b'"
    assert failure(adapter_for(store_type="config")) == f"{start}config stores: 'cfg'"
    write("")
    assert failure(adapter_for()) == f"{start}kv stores: none, config stores: none"


def test_a_missing_key_names_those_there_are(write: Write) -> None:
    write(
        KV + "some = [{ key = 'statsig-b', data = '' }, { key = 'statsig-a', data = '' }]\n"
        "none = []\nother = [{ key = 'x', data = '' }]\n"
        + CFG
        + "format = 'inline-toml'\ncontents = { statsig-c = '' }"
    )
    said = "the store has no such key; "
    assert failure(adapter_for("some")).endswith(
        said + "its keys that start with 'statsig-': 'statsig-a', 'statsig-b'"
    )
    assert failure(adapter_for("cfg")).endswith(said + "its keys that start with 'statsig-': 'statsig-c'")
    assert failure(adapter_for("none")).endswith(said + "the store is empty")
    assert failure(adapter_for("other")).endswith(said + "none of its 1 keys starts with 'statsig-'")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "the value is empty"),
        ("<html></html>", "the value is an HTML or XML page"),
        ("[]", "the value is not a JSON object: it starts with '[]'"),
    ],
)
def test_a_value_that_is_no_json_object(write: Write, body: str, says: str) -> None:
    write(KV + f"specs = [{{ key = '{KEY}', file = 'value' }}]", {"value": body})
    assert says in failure(adapter_for())


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, brotli.compress])
def test_a_compressed_file(write: Write, compress: Callable[[bytes], bytes]) -> None:
    stored = compress(payload())
    path = write(KV + f"specs = [{{ key = '{KEY}', file = 'value' }}]", {"value": stored})
    adapter = adapter_for()
    assert adapter.fetch() == Payload(payload(), hashlib.sha256(stored).hexdigest(), None)
    assert adapter.fetch(hashlib.sha256(stored).hexdigest()) is None
    limited = FastlyTomlAdapter(store="specs", config_spec_key=KEY, max_payload_bytes=len(payload()) - 1)
    said = failure(limited)
    assert said.startswith(f"reading key '{KEY}' of local store 'specs' in {path}: the ")
    assert said.endswith("when it is decompressed; make the payload smaller, or raise max_payload_bytes")
    write(KV + f"specs = [{{ key = '{KEY}', file = 'value' }}]", {"value": stored[:-1]})
    assert failure(adapter).endswith("publish it again")


def test_no_two_adapters_have_one_identity() -> None:
    different = [
        FastlyTomlAdapter("a", store="b", config_spec_key="c"),
        FastlyTomlAdapter("b", store="b", config_spec_key="c"),
        FastlyTomlAdapter("a", store="b c", config_spec_key="c"),
        FastlyTomlAdapter("a", store="b", config_spec_key="b c"),
        FastlyTomlAdapter("a", store="b", config_spec_key="c", store_type="kv"),
        FastlyTomlAdapter("a", store="b", config_spec_key="c", store_type="config"),
    ]
    assert len({adapter.identity for adapter in different}) == len(different)
    again = FastlyTomlAdapter("a", store="b", config_spec_key="c")
    assert again.identity == different[0].identity


def test_it_can_be_pickled(write: Write) -> None:
    write(KV + f"specs = [{{ key = '{KEY}', data = '{{}}' }}]")
    payload = pickle.loads(pickle.dumps(adapter_for())).fetch()  # noqa: S301  # made on the line itself
    assert payload.body == b"{}"


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"path": 5}, TypeError, "path: expected str or os.PathLike, got int"),
        ({"path": b"fastly.toml"}, TypeError, "path: expected str or os.PathLike, got bytes"),
        ({"path": ""}, ValueError, "path: expected a path, got ''"),
        ({"root": 5}, TypeError, "root: expected str or os.PathLike, got int"),
        ({"root": ""}, ValueError, "root: expected a path, got ''"),
        ({"store": ""}, ValueError, "store: expected text, got ''"),
        ({"store": None}, TypeError, "store: expected str, got NoneType"),
        ({"config_spec_key": ""}, ValueError, "config_spec_key: expected text, got ''"),
        ({"config_spec_key": 5}, TypeError, "config_spec_key: expected str, got int"),
        ({"max_payload_bytes": 0}, ValueError, "max_payload_bytes: expected a number above 0, got 0"),
        ({"store_type": "KV"}, ValueError, "store_type: expected 'kv', 'config' or None, got 'KV'"),
        ({"store_type": ["kv"]}, ValueError, "store_type: expected 'kv', 'config' or None, got ['kv']"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], kind: type[Exception], says: str) -> None:
    given: dict[str, object] = {"store": "specs", "config_spec_key": KEY, **arguments}
    with pytest.raises(kind) as caught:
        FastlyTomlAdapter(**given)  # type: ignore[arg-type]  # wrong on purpose
    assert str(caught.value) == says
