"""ID lists in a Fastly KV Store, as they are written and as they are read: `FastlyIdListAdapter`."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from engine_under_test import our_engine
from printable import everything_printable
from random_id_lists import LISTED, random_lines
from reference_id_lists import id_list_file
from statsig_fastly._native import Evaluator
from statsig_fastly.adapters import IdListAdapter, IdListFile
from statsig_fastly.adapters.fastly_id_lists import FastlyIdListAdapter
from statsig_fastly.adapters.id_list_items import IdListContent, id_list_items, index_key, item_digest
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.errors import AdapterError
from statsig_fastly.id_list_sync import IdListRound, IdListSync
from statsig_fastly.sample_users import Dice
from test_id_lists import checks_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statsig_fastly import Statsig

KEY = "statsig-1a2b3c"
INDEX = f"id_lists.{KEY}"
TOKEN = "tok-0123456789abcdef-XYZ"
NAMES = ["L", "M", "ü 1"]
PAYLOAD = json.dumps(checks_project(NAMES)).encode()
ITEM = r"/keys/id_list\."


@pytest.fixture
def kv(caplog: pytest.LogCaptureFixture) -> Iterator[Emulator]:
    """An emulator with a telling token, which must not show up in anything that was logged."""
    caplog.set_level(logging.DEBUG)
    with Emulator(tokens=(TOKEN,)) as emulator:
        emulator.create_kv_store("specs")
        yield emulator
    records = caplog.get_records("call")
    assert not [
        record for record in records if TOKEN in logging.Formatter().format(record) + repr(vars(record))
    ]


@pytest.fixture
def adapter(kv: Emulator) -> Iterator[FastlyIdListAdapter]:
    adapter = FastlyIdListAdapter("specs", KEY, token=TOKEN, api=kv.url)
    yield adapter
    adapter.close()
    adapter.close()


@pytest.fixture
def statsig() -> Iterator[Statsig]:
    with our_engine(PAYLOAD) as statsig:
        yield statsig


def content(units: str, file_id: str = "1", created: int = 1) -> IdListContent:
    return IdListContent(id_list_file(units), file_id, created)


def write(kv: Emulator, lists: Mapping[str, IdListContent], time_ms: int, *, compress: bool = False) -> None:
    """Writes what is not there yet, and then the index."""
    for key, item in id_list_items(KEY, lists, time_ms=time_ms, compress=compress).items():
        if kv.get("specs", key) != item:
            kv.put("specs", key, item)


def asked(kv: Emulator) -> list[str]:
    """`METHOD key` of the items that were asked for since the last call; digests are left out."""
    requests = kv.take_requests()
    keys = [(request.method, request.raw_path.partition("/keys/")[2]) for request in requests]
    return [f"{method} {key.partition(KEY)[0]}" for method, key in keys if key]


def on(statsig: Evaluator, name: str = "L") -> str:
    return "".join(unit for unit in "abcdef" if statsig.check_gate(unit, f"unit {name}"))


def failure(adapter: FastlyIdListAdapter, file: IdListFile | None = None) -> AdapterError:
    """Why the index could not be read, or a file."""
    with pytest.raises(AdapterError) as caught:
        adapter.fetch_id_lists() if file is None else adapter.fetch_id_list(file, 0)
    problem = caught.value
    assert "\n" not in str(problem)
    assert TOKEN not in everything_printable(problem)
    return problem


# Reading


def test_what_was_written_is_read(kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig) -> None:
    assert isinstance(adapter, IdListAdapter)
    write(kv, {"L": content("ab"), "M": content(""), "ü 1": content("c")}, 1)
    sync = IdListSync(adapter, statsig)
    assert sync.round() == IdListRound(3, 3, 30)
    assert [on(statsig, name) for name in NAMES] == ["ab", "", "c"]
    # One request for the name of the store; an empty list takes none.
    assert asked(kv) == ["GET id_lists.", "GET id_list.", "GET id_list."]
    assert sync.round() == IdListRound(3, 0, 0)
    assert asked(kv) == ["HEAD id_lists."]
    write(kv, {"L": content("abd"), "M": content(""), "ü 1": content("c")}, 2)
    assert sync.round() == IdListRound(3, 1, 10)
    assert asked(kv) == ["HEAD id_lists.", "GET id_lists.", "GET id_list."]
    write(kv, {"L": content("e", "2", 2)}, 3)
    assert sync.round() == IdListRound(1, 3, 10)
    assert [on(statsig, name) for name in NAMES] == ["e", "", ""]


@pytest.mark.parametrize("compress", [False, True])
def test_lists_are_as_they_were_written_after_every_round(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig, *, compress: bool
) -> None:
    dice = Dice(11)
    sync = IdListSync(adapter, statsig)
    lists: dict[str, IdListContent] = {}
    members = 0
    for number in range(30):
        for name in NAMES:
            lines = b"".join(random_lines(dice))
            lines = lines if lines.isascii() and lines.startswith((b"+", b"-")) else b""
            held = lists.get(name)
            if dice.chance(0.1):
                lists.pop(name, None)
            elif held is not None and dice.chance(0.7):
                lists[name] = IdListContent(held.lines + lines, held.file_id, held.created_ms)
            elif dice.chance(0.7):
                lists[name] = IdListContent(lines, str(number), number)
        write(kv, lists, number, compress=compress)
        outcome = sync.round()
        assert outcome.complete, outcome
        fresh = Evaluator()
        fresh._load(PAYLOAD, "Bootstrap")
        for name, written in lists.items():
            assert fresh._set_id_list(name, written.lines)
        for name in NAMES:
            expected = [unit for unit in LISTED if fresh.check_gate(unit, f"unit {name}")]
            assert [unit for unit in LISTED if statsig.check_gate(unit, f"unit {name}")] == expected
            members += len(expected)
    assert members > 50


def test_an_older_index_counts_as_unchanged(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig
) -> None:
    sync = IdListSync(adapter, statsig)
    write(kv, {"L": content("ab"), "M": content("c")}, 5)
    sync.round()
    older = id_list_items(KEY, {"L": content("a")}, time_ms=4)
    kv.put("specs", INDEX, older[INDEX])
    for _ in range(2):
        assert sync.round() == IdListRound(2, 0, 0)
    assert (on(statsig), on(statsig, "M")) == ("ab", "c")
    write(kv, {"L": content("a", "2", 2)}, 5)
    assert sync.round() == IdListRound(1, 2, 10)
    assert (on(statsig), on(statsig, "M")) == ("a", "")


def test_without_head_the_index_is_read_each_time(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig
) -> None:
    kv.fault(Fault(method="HEAD", status=405, times=None))
    sync = IdListSync(adapter, statsig)
    write(kv, {"L": content("ab")}, 5)
    sync.round()
    asked(kv)
    for heads in (["HEAD id_lists."], []):
        assert sync.round() == IdListRound(1, 0, 0)
        assert asked(kv) == [*heads, "GET id_lists."]


def test_a_list_that_is_not_there_yet_keeps_no_other_waiting(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig
) -> None:
    sync = IdListSync(adapter, statsig)
    write(kv, {"L": content("a"), "M": content("a")}, 1)
    sync.round()
    items = id_list_items(KEY, {"L": content("ab"), "M": content("ac")}, time_ms=2)
    late, *others = items
    for key in others:
        kv.put("specs", key, items[key])
    outcome = sync.round()
    assert (outcome.changed, list(outcome.failed)) == (1, ["L"])
    assert outcome.failed["L"].status == 404
    assert late in str(outcome.failed["L"])
    assert (on(statsig), on(statsig, "M")) == ("a", "ac")
    kv.put("specs", late, items[late])
    assert sync.round() == IdListRound(2, 1, 10)
    assert on(statsig) == "ab"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (id_list_file("c"), "its value is not the one that its key has the digest of; ask again later"),
        (b"", "its value is not the one that its key has the digest of; ask again later"),
        (b"<html>", "its value is not the one that its key has the digest of; ask again later"),
    ],
)
def test_a_value_that_is_another_one_is_not_used(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig, value: bytes, says: str
) -> None:
    items = id_list_items(KEY, {"L": content("ab")}, time_ms=1)
    write(kv, {"L": content("ab")}, 1)
    kv.put("specs", next(iter(items)), value)
    outcome = IdListSync(adapter, statsig).round()
    problem = outcome.failed["L"]
    assert says in str(problem)
    assert str(problem).startswith(f"reading key {next(iter(items))!r} of KV store 'specs', ID list 'L': ")
    assert problem.retryable
    assert on(statsig) == ""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (gzip.compress(id_list_file("ab"))[:-4], "the gzip value is not whole"),
        (gzip.compress(id_list_file("abc")), "20 bytes"),
        (gzip.compress(bytes(50_000_000)), "more than 20 bytes"),
        (b"\x1f\x8b" + bytes(20), "the gzip value is damaged"),
    ],
)
def test_a_compressed_value_that_comes_to_something_else(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig, value: bytes, says: str
) -> None:
    key = f"id_list.{KEY}.{item_digest(value)}"
    kv.put("specs", key, value)
    kv.put("specs", INDEX, index(key=key))
    outcome = IdListSync(adapter, statsig).round()
    assert says in str(outcome.failed["L"])


def test_a_file_without_its_digest_is_not_used(
    kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig
) -> None:
    value = id_list_file("ab")
    key = f"id_list.{KEY}.{item_digest(value)}"
    kv.put("specs", key, value)
    kv.put("specs", INDEX, index(key=key, sha256="0" * 64))
    outcome = IdListSync(adapter, statsig).round()
    assert "its file has not the SHA-256 digest that the index says" in str(outcome.failed["L"])
    assert on(statsig) == ""


def test_the_store_is_down_for_a_while(kv: Emulator, adapter: FastlyIdListAdapter, statsig: Statsig) -> None:
    sync = IdListSync(adapter, statsig)
    write(kv, {"L": content("a")}, 1)
    sync.round()
    write(kv, {"L": content("ab")}, 2)
    kv.fault(Fault(path="/keys/", status=503, times=1))
    outcome = sync.round()
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.retryable) == (503, True)
    kv.fault(Fault(path=ITEM, status=503, times=1))
    assert sync.round().failed["L"].status == 503
    assert on(statsig) == "a"
    assert sync.round().complete
    assert on(statsig) == "ab"


# Indexes


ENTRY: dict[str, Any] = {
    "fileID": "1",
    "creationTime": 1,
    "size": 20,
    "sha256": hashlib.sha256(id_list_file("ab")).hexdigest(),
    "key": f"id_list.{KEY}.AAAAAAAAAAAA",
}


def index(**changes: object) -> bytes:
    entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not ...}
    return json.dumps({"statsig_fastly": "id-lists/1", "time": 1, "lists": {"L": entry}}).encode()


def test_there_is_no_index(adapter: FastlyIdListAdapter) -> None:
    problem = failure(adapter)
    assert problem.status == 404
    assert INDEX in str(problem)


def test_members_of_an_index_that_are_not_known_are_passed_over(
    kv: Emulator, adapter: FastlyIdListAdapter
) -> None:
    kv.put("specs", INDEX, index(more={"a": [1]}).replace(b'"time"', b'"more": null, "time"'))
    assert list(adapter.fetch_id_lists()) == [IdListFile("L", "1", 1, 20, ENTRY["key"], ENTRY["sha256"])]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "expected an index of ID lists, got no JSON"),
        (b"<html>", "expected an index of ID lists, got no JSON"),
        (b"\xff", "expected an index of ID lists, got no JSON"),
        (b"[" * 100_000, "expected an index of ID lists, got no JSON"),
        (b"[]", 'expected an index of ID lists, with "statsig_fastly": "id-lists/1" in it'),
        (
            b'{"statsig_fastly": 1}',
            'expected an index of ID lists, with "statsig_fastly": "id-lists/1" in it',
        ),
        (b'{"statsig_fastly": "chunks/1"}', 'expected an index of ID lists, with "statsig_fastly": '),
        (b'{"statsig_fastly": "id-lists/2"}', "'id-lists/2', which a newer statsig-fastly can read"),
        (b'{"statsig_fastly": "id-lists/1"}', "the index: field `lists`: expected an object, got NoneType"),
        (b'{"statsig_fastly": "id-lists/1", "lists": {}}', "the index: field `time`: expected an integer"),
        (b'{"statsig_fastly": "id-lists/1", "lists": {"L": 5}}', "list 'L': expected an object, got int"),
        (index(size="20"), "list 'L': field `size`: expected an integer, got str"),
        (index(size=True), "list 'L': field `size`: expected an integer, got bool"),
        (index(size=-1), "list 'L': field `size`: expected a number from 0 to 2^53, got -1"),
        (
            index(size=2**53 + 1),
            "list 'L': field `size`: expected a number from 0 to 2^53, got 9007199254740993",
        ),
        (index(creationTime=1.0), "list 'L': field `creationTime`: expected an integer, got float"),
        (index(fileID=None), "list 'L': field `fileID`: expected a string, got NoneType"),
        (index(sha256=...), "list 'L': field `sha256`: expected a string, got NoneType"),
        (index(sha256="A" * 64), "list 'L': field `sha256`: expected 64 hex digits, got 'AAAA"),
        (index(key="a#b"), "list 'L': field `key`: must not contain '#', got 'a#b'"),
        (index(key=""), "list 'L': field `key`: must have 1 to 1024 bytes"),
    ],
)
def test_an_index_with_a_fault_is_refused_as_a_whole(
    kv: Emulator, adapter: FastlyIdListAdapter, value: bytes, says: str
) -> None:
    kv.put("specs", INDEX, value)
    problem = failure(adapter)
    assert says in str(problem)
    assert str(problem).startswith(f"reading key {INDEX!r} of KV store 'specs': ")
    assert str(problem).endswith("; publish the lists anew")


# Writing


def test_the_form_of_the_items() -> None:
    lists = {"ü": content("ab", "file", 5), "M": content("c", "other", 7)}
    items = id_list_items(KEY, lists, time_ms=9)
    lines, digest = id_list_file("ab"), hashlib.sha256(id_list_file("ab"))
    key = f"id_list.{KEY}.{item_digest(lines)}"
    assert list(items) == [key, f"id_list.{KEY}.{item_digest(id_list_file('c'))}", INDEX]
    assert items[key] == lines
    said = json.loads(items[INDEX])
    entry = {"fileID": "file", "creationTime": 5, "size": 20, "sha256": digest.hexdigest(), "key": key}
    assert said["lists"]["ü"] == entry
    assert {**said, "lists": {}} == {"statsig_fastly": "id-lists/1", "time": 9, "lists": {}}
    assert len(item_digest(lines)) == 12
    assert digest.digest().startswith(base64.urlsafe_b64decode(item_digest(lines)))
    assert index_key(KEY) == INDEX
    assert lines.decode() not in repr(lists)


def test_the_same_lists_make_the_same_items() -> None:
    for compress in (False, True):
        one = id_list_items(KEY, {"L": content("ab"), "M": content("ab")}, time_ms=1, compress=compress)
        other = id_list_items(KEY, {"L": content("ab"), "M": content("ab")}, time_ms=1, compress=compress)
        assert one == other
        assert len(one) == 2  # lists that are the same share an item


def test_compressed_items_are_smaller() -> None:
    lists = {"L": IdListContent(id_list_file(map(str, range(10_000))), "1", 1)}
    plain = next(iter(id_list_items(KEY, lists, time_ms=1).values()))
    packed = next(iter(id_list_items(KEY, lists, time_ms=1, compress=True).values()))
    assert gzip.decompress(packed) == plain
    assert len(packed) < 0.75 * len(plain)


@pytest.mark.parametrize(
    ("key", "list_", "time_ms", "says"),
    [
        (5, content("a"), 1, "config_spec_key: expected str, got int"),
        ("", content("a"), 1, "config_spec_key: expected text, got ''"),
        ("a#b", content("a"), 1, "config_spec_key: must not contain '#' with what is added to it"),
        ("a" * 1004, content("a"), 1, "config_spec_key: must have 1 to 1024 bytes of UTF-8 (it has 1025)"),
        (KEY, IdListContent(b"<html>", "1", 1), 1, "list 'L': expected ASCII lines of '+' or '-' and a hash"),
        (KEY, IdListContent(b"\n+a", "1", 1), 1, "list 'L': expected ASCII lines of '+' or '-' and a hash"),
        (
            KEY,
            IdListContent("+é".encode(), "1", 1),
            1,
            "list 'L': expected ASCII lines of '+' or '-' and a hash",
        ),
        (KEY, IdListContent(b"", "1", -1), 1, "list 'L': field `creationTime`: expected a number from 0"),
        (KEY, IdListContent(b"", "1", 1.5), 1, "field `creationTime`: expected an integer, got float"),  # type: ignore[arg-type]
        (KEY, IdListContent(b"", 1, 1), 1, "list 'L': field `fileID`: expected a string, got int"),  # type: ignore[arg-type]
        (KEY, content("a"), -1, "the index: field `time`: expected a number from 0 to 2^53, got -1"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    key: object, list_: IdListContent, time_ms: int, says: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        id_list_items(key, {"L": list_}, time_ms=time_ms)  # type: ignore[arg-type]
    assert says in str(caught.value)


# Arguments


def test_it_gives_the_token_away_to_nobody(adapter: FastlyIdListAdapter) -> None:
    assert repr(adapter) == f"FastlyIdListAdapter(KV store 'specs', {INDEX!r})"
    for give_away in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a token"):
            give_away(adapter)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"store": ""}, "store: expected text, got ''"),
        ({"config_spec_key": None}, "config_spec_key: expected str, got NoneType"),
        ({"config_spec_key": "a;b"}, "config_spec_key: must not contain ';'"),
        ({"token": ""}, "token: expected a Fastly API token, got ''"),
        ({"api": "http://api.fastly.com"}, "api: expected https"),
        ({"connect_timeout": 0}, "connect_timeout: expected seconds above 0"),
        ({"max_value_bytes": 0}, "max_value_bytes: expected a number above 0"),
        ({"max_list_bytes": 1.5}, "max_list_bytes: expected int, got float"),
    ],
)
def test_arguments_that_cannot_work_are_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        FastlyIdListAdapter(**{"store": "specs", "config_spec_key": KEY, "token": TOKEN, **arguments})
    assert says in str(caught.value)


def test_the_token_of_the_environment_is_the_one_of_then(
    kv: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTLY_API_TOKEN", TOKEN)
    adapter = FastlyIdListAdapter("specs", KEY, api=kv.url)
    monkeypatch.delenv("FASTLY_API_TOKEN")
    write(kv, {"L": content("a")}, 1)
    (file,) = adapter.fetch_id_lists()
    assert adapter.fetch_id_list(file, 0) == id_list_file("a")
    adapter.close()
