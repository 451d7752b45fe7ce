from __future__ import annotations

import base64
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from api_client import KV, Api, StandingClock
from statsig_fastly.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(emulator: Emulator) -> str:
    """Path of a store named `specs`."""
    return f"{KV}/{emulator.create_kv_store('specs')}"


@pytest.fixture
def timed(clock: StandingClock) -> Iterator[tuple[Emulator, Api, str]]:
    """An emulator on a standing clock with every time rule switched on, a client and a store's path."""
    with (
        Emulator(clock=clock, write_interval=1.0, propagation=5.0, background_fetch_delay=60.0) as emulator,
        Api(emulator) as api,
    ):
        yield emulator, api, f"{KV}/{emulator.create_kv_store('specs')}"


# Stores


def test_a_store_is_created_described_renamed_and_deleted(clock: StandingClock) -> None:
    with Emulator(clock=clock) as emulator, Api(emulator) as api:
        created = api.json("POST", KV, {"name": "specs"}, status=201)
        assert re.fullmatch(r"[a-z0-9]{22}", created["id"])
        assert created == {
            "id": created["id"],
            "name": "specs",
            "created_at": "2025-06-23 19:41:16",
            "updated_at": "2025-06-23 19:41:16",
        }
        path = f"{KV}/{created['id']}"
        assert api.json("GET", path) == created
        clock.now += 60
        renamed = api.json("PUT", path, {"name": "other"})
        assert renamed == {**created, "name": "other", "updated_at": "2025-06-23 19:42:16"}
        deleted = api.call("DELETE", path)
        assert (deleted.status, deleted.data) == (204, b"")
        assert api.call("GET", path).status == 404
        assert api.call("DELETE", path).status == 404
        assert api.call("PUT", path, b'{"name":"x"}').status == 404


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"taken"}',
        b'{"name":""}',
        b'{"name":"1st"}',
        b'{"name":"-x"}',
        '{"name":"été"}'.encode(),
        b'{"name":"a\\u0007b"}',
        json.dumps({"name": "n" * 256}).encode(),
        b'{"name":5}',
        b'["name"]',
        b"name=form",
    ],
)
def test_store_names_that_are_refused(emulator: Emulator, api: Api, body: bytes) -> None:
    emulator.create_kv_store("taken")
    assert api.call("POST", KV, body).status == 400
    assert list(emulator.kv_stores()) == ["taken"]
    other = emulator.create_kv_store("other")
    assert api.call("PUT", f"{KV}/{other}", body).status == 400
    assert sorted(emulator.kv_stores()) == ["other", "taken"]


@pytest.mark.parametrize("name", ["a", "Z-9 _.", "n" * 255])
def test_store_names_that_are_accepted(api: Api, name: str) -> None:
    assert api.json("POST", KV, {"name": name}, status=201)["name"] == name


def test_location_is_one_of_four(api: Api) -> None:
    for number, location in enumerate(["US", "EU", "ASIA", "AUS"]):
        api.json("POST", f"{KV}?location={location}", {"name": f"s{number}"}, status=201)
    assert api.call("POST", f"{KV}?location=MOON", b'{"name":"x"}').status == 400


def test_stores_are_listed_whole_by_name_and_in_pages(emulator: Emulator, api: Api) -> None:
    ids = {name: emulator.create_kv_store(name) for name in ("a", "b", "c")}
    listed = api.json("GET", KV)
    assert listed["meta"] == {"limit": 1000, "total": 0}
    assert {entry["name"]: entry["id"] for entry in listed["data"]} == ids
    assert [entry["id"] for entry in api.json("GET", f"{KV}?name=b")["data"]] == [ids["b"]]
    assert api.json("GET", f"{KV}?name=nobody")["data"] == []

    seen, path = [], f"{KV}?limit=2"
    first = api.json("GET", path)
    seen += [entry["id"] for entry in first["data"]]
    second = api.json("GET", f"{path}&cursor={first['meta']['next_cursor']}")
    seen += [entry["id"] for entry in second["data"]]
    assert len(first["data"]) == 2
    assert "next_cursor" not in second["meta"]
    assert sorted(seen) == sorted(ids.values())


def test_a_store_with_items_is_not_deleted(emulator: Emulator, api: Api, store: str) -> None:
    emulator.put("specs", "k", b"v")
    assert api.call("DELETE", store).status == 409
    emulator.delete("specs", "k")
    assert api.call("DELETE", store).status == 204


# Reading items


def test_item_read_has_the_recorded_headers(clock: StandingClock) -> None:
    with Emulator(clock=clock) as emulator, Api(emulator) as api:
        store = f"{KV}/{emulator.create_kv_store('specs')}"
        written = api.call(
            "PUT", f"{store}/keys/k", b"\x00\xffdata", headers={"Content-Type": "application/json"}
        )
        assert written.status == 200
        answer = api.call("GET", f"{store}/keys/k")
        assert answer.status == 200
        assert answer.data == b"\x00\xffdata"
        expected = {
            "Content-Type": "application/octet-stream",
            "Content-Length": "6",
            "Stored-Content-Length": "6",
            "Generation": "1750707676250000",
            "Metadata": "",
            "Last-Modified": "Mon, 23 Jun 2025 19:41:16 GMT",
            "Cache-Control": "no-store",
            "Pragma": "no-cache",
            "Accept-Ranges": "bytes",
            "Server": "fastly",
            "Via": "1.1 varnish",
            "Strict-Transport-Security": "max-age=31536000",
            "Date": "Mon, 23 Jun 2025 19:41:16 GMT",
        }
        assert {name: answer.headers.get(name) for name in expected} == expected
        assert "ETag" not in answer.headers
        assert not [name for name in answer.headers if name.lower().startswith("fastly-ratelimit")]
        assert re.fullmatch(r"cache-\S+", answer.headers["X-Served-By"])

        head = api.call("HEAD", f"{store}/keys/k")
        assert (head.status, head.data) == (200, b"")
        assert {name: head.headers.get(name) for name in expected} == expected


def test_head_can_be_switched_off() -> None:
    with Emulator(head_supported=False) as emulator, Api(emulator) as api:
        store = emulator.create_kv_store("specs")
        emulator.put("specs", "k", b"v")
        assert api.call("HEAD", f"{KV}/{store}/keys/k").status == 405
        assert api.call("GET", f"{KV}/{store}/keys/k").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["{store}/keys/absent", KV + "/0000000000000000000000/keys/k"])
def test_missing_item_or_store_is_404(api: Api, store: str, method: str, path: str) -> None:
    answer = api.call(method, path.format(store=store))
    assert (answer.status, answer.data) == (404, b"")


def test_body_of_a_404_can_be_chosen() -> None:
    with Emulator(not_found_body=b"gone fishing") as emulator, Api(emulator) as api:
        answer = api.call("GET", f"{KV}/{emulator.create_kv_store('specs')}/keys/k")
        assert (answer.status, answer.data) == (404, b"gone fishing")


def test_conditional_reads_are_ignored_unless_switched_on(clock: StandingClock) -> None:
    later = {"If-Modified-Since": "Mon, 23 Jun 2025 19:41:16 GMT"}
    earlier = {"If-Modified-Since": "Mon, 23 Jun 2025 19:41:15 GMT"}
    nonsense = {"If-Modified-Since": "yesterday"}
    for honoured in (False, True):
        with Emulator(clock=clock, honour_ims=honoured) as emulator, Api(emulator) as api:
            path = f"{KV}/{emulator.create_kv_store('specs')}/keys/k"
            emulator.put("specs", "k", b"v")
            assert api.call("GET", path, headers={"If-None-Match": "*"}).status == 200
            assert api.call("GET", path, headers=later).status == (304 if honoured else 200)
            assert api.call("GET", path, headers=earlier).status == 200
            assert api.call("GET", path, headers=nonsense).status == 200


def test_cache_header_tells_the_first_read_from_the_next(emulator: Emulator, api: Api, store: str) -> None:
    emulator.put("specs", "k", b"1")
    reads = [api.call("GET", f"{store}/keys/k").headers["X-Cache"] for _ in range(2)]
    emulator.put("specs", "k", b"2")
    reads.append(api.call("GET", f"{store}/keys/k").headers["X-Cache"])
    assert reads == ["MISS, MISS", "HIT, MISS", "MISS, MISS"]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("a/b", "a/b"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("sp%20ace", "sp ace"),
        ("plus+sign", "plus+sign"),
        ("%C3%A9%F0%9F%8D%89", "é🍉"),
        ("trailing/", "trailing/"),
        ("a//b", "a//b"),
        ("keys/keys", "keys/keys"),
        ("x=1&y", "x=1&y"),
    ],
)
def test_keys_are_percent_decoded_once(emulator: Emulator, api: Api, store: str, sent: str, key: str) -> None:
    assert api.call("PUT", f"{store}/keys/{sent}", b"v").status == 200
    assert emulator.keys("specs") == [key]
    assert api.call("GET", f"{store}/keys/{sent}").data == b"v"
    assert api.call("DELETE", f"{store}/keys/{sent}").status == 204
    assert emulator.keys("specs") == []


# Writing items


def test_write_answers_200_with_nothing_in_it(api: Api, store: str) -> None:
    answer = api.call("PUT", f"{store}/keys/k", b"v")
    assert (answer.status, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "0"
    assert "Generation" not in answer.headers


def test_a_write_without_metadata_clears_it(api: Api, store: str) -> None:
    path = f"{store}/keys/k"
    api.call("PUT", path, b"value")
    api.call("PUT", f"{path}?prepend=true", b"before ", headers={"metadata": "lcut=1"})
    answer = api.call("GET", path)
    assert (answer.data, answer.headers["Metadata"]) == (b"before value", "lcut=1")
    api.call("PUT", f"{path}?append=true", b" after")
    answer = api.call("GET", path)
    assert (answer.data, answer.headers["Metadata"]) == (b"before value after", "")


@pytest.mark.parametrize("mode", ["append", "prepend", "add"])
def test_modes_create_what_is_absent(emulator: Emulator, api: Api, store: str, mode: str) -> None:
    assert api.call("PUT", f"{store}/keys/k?{mode}=true", b"v").status == 200
    assert emulator.get("specs", "k") == b"v"


def test_flags_count_only_as_the_word_true(emulator: Emulator, api: Api, store: str) -> None:
    emulator.put("specs", "k", b"old")
    assert api.call("PUT", f"{store}/keys/k?add=false&append=1", b"new").status == 200
    assert emulator.get("specs", "k") == b"new"
    assert api.call("PUT", f"{store}/keys/k?append=true&prepend=true", b"x").status == 400


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("k" * 1024, 200),
        ("k" * 1025, 400),
        ("%C3%A9" * 512, 200),
        ("%C3%A9" * 513, 400),
        ("", 400),
        ("%2E", 400),
        ("%2E%2E", 400),
        ("...", 200),
        (".well-known/acme-challenge/x", 400),
        (".well-known/other", 200),
        ("a%23b", 400),
        ("a;b", 400),
        ("a%3Fb", 400),
        ("a%5Eb", 400),
        ("statsig%7C/v2/download_config_specs%7Cplain_text%7Cabc", 400),
        ("a%0Db", 400),
        ("a%0Ab", 400),
        ("%FF", 400),
    ],
)
def test_key_rules(api: Api, store: str, key: str, status: int) -> None:
    assert api.call("PUT", f"{store}/keys/{key}", b"v").status == status
    if key != "%FF":  # not a path at all
        assert api.call("GET", f"{store}/keys/{key}").status == (200 if status == 200 else 404)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"metadata": "m" * 2000}, 200),
        ({"metadata": "m" * 2001}, 400),
        ({"time_to_live_sec": "60"}, 200),
        ({"time_to_live_sec": "-1"}, 400),
        ({"time_to_live_sec": "soon"}, 400),
        ({"if-generation-match": "not a number"}, 400),
        ({"if-generation-match": str(2**64)}, 400),
        ({"if-generation-match": str(2**64 - 1)}, 412),
        ({"if-generation-match": "0"}, 200),
    ],
)
def test_header_rules(api: Api, store: str, headers: dict[str, str], status: int) -> None:
    assert api.call("PUT", f"{store}/keys/k", b"v", headers=headers).status == status
    assert api.call("GET", f"{store}/keys/k").status == (200 if status == 200 else 404)


def test_checks_of_a_write_come_in_the_documented_order(clock: StandingClock) -> None:
    with (
        Emulator(clock=clock, max_value_bytes=3, write_interval=1.0) as emulator,
        Api(emulator) as api,
    ):
        store = f"{KV}/{emulator.create_kv_store('specs')}"
        assert api.call("PUT", f"{store}/keys/k", b"abc").status == 200
        # Everything is wrong at first; each step mends the fault that was reported.
        bad = {"metadata": "m" * 2001, "if-generation-match": "1"}
        assert api.call("PUT", f"{KV}/nowhere/keys/a%7Cb?add=true", b"abcd", headers=bad).status == 404
        assert api.call("PUT", f"{store}/keys/a%7Cb?add=true", b"abcd", headers=bad).status == 400
        assert api.call("PUT", f"{store}/keys/k?add=true", b"abcd", headers=bad).status == 413
        assert api.call("PUT", f"{store}/keys/k?add=true", b"ab", headers=bad).status == 400
        bad["metadata"] = "fine"
        assert api.call("PUT", f"{store}/keys/k?add=true", b"ab", headers=bad).status == 429
        clock.now += 1
        assert api.call("PUT", f"{store}/keys/k?add=true", b"ab", headers=bad).status == 412
        del bad["if-generation-match"]
        assert api.call("PUT", f"{store}/keys/k?add=true", b"ab", headers=bad).status == 412
        assert emulator.get("specs", "k") == b"abc"
        assert api.call("PUT", f"{store}/keys/k", b"ab", headers=bad).status == 200
        clock.now += 1
        assert api.call("PUT", f"{store}/keys/k?append=true", b"cd", headers=bad).status == 413
        assert emulator.get("specs", "k") == b"ab"


def test_25_mib_is_the_largest_value(api: Api, store: str) -> None:
    assert api.call("PUT", f"{store}/keys/k", bytes(26_214_400)).status == 200
    assert api.call("HEAD", f"{store}/keys/k").headers["Content-Length"] == "26214400"
    assert api.call("PUT", f"{store}/keys/k", bytes(26_214_401)).status == 413


def test_generation_conditions(emulator: Emulator, api: Api, store: str) -> None:
    path = f"{store}/keys/k"

    def write(condition: int) -> int:
        answer = api.call("PUT", path, b"v", headers={"if-generation-match": str(condition)})
        assert answer.data == b""
        assert answer.headers["Content-Length"] == "0"
        return answer.status

    assert write(7) == 412
    assert emulator.keys("specs") == []
    assert write(0) == 200
    assert write(0) == 412
    generation = int(api.call("GET", path).headers["Generation"])
    assert write(generation) == 200
    assert write(generation) == 412
    assert api.call("PUT", f"{path}?add=true", b"v").status == 412


def test_generation_follows_the_clock_and_never_repeats(clock: StandingClock) -> None:
    with Emulator(clock=clock) as emulator:
        emulator.create_kv_store("specs")
        first = emulator.put("specs", "k", b"1")
        assert first == int(clock.now * 1_000_000)
        assert emulator.put("specs", "k", b"1") == first + 1
        emulator.delete("specs", "k")
        assert emulator.put("specs", "k", b"1") == first + 3
        clock.now -= 3600
        assert emulator.put("specs", "k", b"2") == first + 4


def test_delete(emulator: Emulator, api: Api, store: str) -> None:
    path = f"{store}/keys/k"
    generation = emulator.put("specs", "k", b"v")
    wrong = api.call("DELETE", path, headers={"if-generation-match": str(generation + 1)})
    assert (wrong.status, wrong.data) == (412, b"")
    right = api.call("DELETE", path, headers={"if-generation-match": str(generation)})
    assert (right.status, right.data) == (204, b"")
    assert api.call("GET", path).status == 404
    assert api.call("DELETE", path).status == 404
    assert api.call("DELETE", f"{path}?force=true").status == 204
    assert api.call("DELETE", f"{KV}/nowhere/keys/k?force=true").status == 404


def test_compare_and_set_loses_no_update(emulator: Emulator, api: Api, store: str) -> None:
    path = f"{store}/keys/counter"
    emulator.put("specs", "counter", b"0")

    def count_up(_: int) -> int:
        refused = 0
        for _round in range(10):
            while True:
                read = api.call("GET", path)
                condition = {"if-generation-match": read.headers["Generation"]}
                written = api.call("PUT", path, str(int(read.data) + 1), headers=condition)
                if written.status == 200:
                    break
                assert written.status == 412
                refused += 1
        return refused

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(4)))
    assert emulator.get("specs", "counter") == b"40"


# Listing keys


def test_keys_are_sorted_by_bytes_and_the_prefix_is_echoed(emulator: Emulator, api: Api, store: str) -> None:
    for key in ("b", "a/2", "Z", "é", "a/10", "🍉"):
        emulator.put("specs", key, b"v")
    assert api.json("GET", f"{store}/keys") == {
        "data": ["Z", "a/10", "a/2", "b", "é", "🍉"],
        "meta": {"limit": 1000},
    }
    assert api.json("GET", f"{store}/keys?prefix=a/&limit=50") == {
        "data": ["a/10", "a/2"],
        "meta": {"limit": 50, "prefix": "a/"},
    }
    assert api.json("GET", f"{store}/keys?prefix=none")["data"] == []
    assert api.call("GET", f"{KV}/nowhere/keys").status == 404


@pytest.mark.parametrize("length", [4, 127, 128, 1024])
def test_cursor_is_the_last_key_in_unpadded_base64(
    emulator: Emulator, api: Api, store: str, length: int
) -> None:
    keys = [letter * length for letter in "abc"]
    for key in keys:
        emulator.put("specs", key, b"v")
    first = api.json("GET", f"{store}/keys?limit=1")
    cursor = first["meta"].pop("next_cursor")
    assert first == {"data": keys[:1], "meta": {"limit": 1}}
    assert not cursor.endswith("=")
    decoded = base64.b64decode(cursor + "=" * (-len(cursor) % 4))
    size = bytes([length]) if length < 128 else bytes([length % 128 + 128, length // 128])
    assert decoded == b"\x0a" + size + keys[0].encode()
    escaped = cursor.replace("+", "%2B").replace("/", "%2F")
    second = api.json("GET", f"{store}/keys?limit=2&cursor={escaped}")
    assert second == {"data": keys[1:], "meta": {"limit": 2}}


@pytest.mark.parametrize(
    "query",
    [  # a cursor: not base64, empty, another message, cut short
        "cursor=!",
        "cursor=",
        "cursor=AAAA",
        "cursor=CgRrZXk",
        "limit=0",
        "limit=x",
        "limit=-1",
        "consistency=maybe",
    ],
)
def test_bad_list_arguments_are_400(api: Api, store: str, query: str) -> None:
    assert api.call("GET", f"{store}/keys?{query}").status == 400


def test_a_thousand_keys_are_the_default_page(emulator: Emulator, api: Api, store: str) -> None:
    for number in range(1001):
        emulator.put("specs", f"k{number:04}", b"")
    first = api.json("GET", f"{store}/keys")
    assert len(first["data"]) == 1000
    rest = api.json("GET", f"{store}/keys?cursor={first['meta']['next_cursor']}")
    assert rest["data"] == ["k1000"]


# Batches


def _line(key: object, value: bytes = b"v", **more: object) -> str:
    return json.dumps({"key": key, "value": base64.b64encode(value).decode(), **more})


def test_batch_writes_every_item(emulator: Emulator, api: Api, store: str) -> None:
    body = f"{_line('a', b'1')}\n\n      {_line('b', bytes(3), metadata='m', time_to_live_sec=60)}\n"
    answer = api.call("PUT", f"{store}/batch", body, headers={"Content-Type": "application/x-ndjson"})
    assert (answer.status, answer.data) == (200, b'{"type":"","title":"success","errors":[]}')
    assert emulator.get("specs", "a") == b"1"
    item = emulator.item("specs", "b")
    assert item is not None
    assert (item.body, item.metadata) == (bytes(3), "m")
    assert item.expires_at is not None


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (_line("a|b"), "400"),
        (_line("big", bytes(5)), "413"),
        (_line("meta", metadata="m" * 2001), "400"),
        (_line("meta", metadata="a\nb"), "400"),
        (_line("meta", metadata=5), "400"),
        (_line("ttl", time_to_live_sec="x"), "400"),
        (_line(5), "400"),
        ('{"key":"k","value":"not base64!"}', "400"),
        ('{"key":"k"}', "400"),
        ("[1]", "400"),
        ("{", "400"),
    ],
)
def test_batch_reports_a_bad_item_and_writes_the_rest(line: str, code: str) -> None:
    for status in (200, 400):
        with (
            Emulator(max_value_bytes=4, batch_error_status=status) as emulator,
            Api(emulator) as api,
        ):
            store = f"{KV}/{emulator.create_kv_store('specs')}"
            answer = api.call("PUT", f"{store}/batch", f"{_line('first')}\n{line}\n{_line('last')}")
            assert answer.status == status
            (error,) = answer.json()["errors"]
            assert (error["index"], error["code"]) == (1, code)
            assert error["reason"]
            assert set(error) == {"key", "index", "code", "reason"}
            assert emulator.keys("specs") == ["first", "last"]


def test_batch_limits(emulator: Emulator, api: Api, store: str) -> None:
    assert api.call("PUT", f"{store}/batch", b"{}\n" * 100_001).status == 400
    assert api.call("PUT", f"{KV}/nowhere/batch", _line("a")).status == 404
    assert emulator.keys("specs") == []


# Time


def test_expired_items_are_gone_after_the_lag(clock: StandingClock) -> None:
    with Emulator(clock=clock, ttl_lag=30) as emulator, Api(emulator) as api:
        store = f"{KV}/{emulator.create_kv_store('specs')}"
        api.call("PUT", f"{store}/keys/k", b"v", headers={"time_to_live_sec": "60"})
        clock.now += 89
        assert api.call("GET", f"{store}/keys/k").status == 200
        clock.now += 1
        assert api.call("GET", f"{store}/keys/k").status == 404
        assert api.json("GET", f"{store}/keys")["data"] == []
        assert emulator.get("specs", "k") is None
        assert api.call("PUT", f"{store}/keys/k?add=true", b"v").status == 200
        clock.now += 1000
        assert api.call("DELETE", f"{store}/keys/k").status == 204
        assert api.call("DELETE", store).status == 204


def test_one_write_per_key_and_interval(timed: tuple[Emulator, Api, str], clock: StandingClock) -> None:
    _, api, store = timed
    assert api.call("PUT", f"{store}/keys/a", b"1").status == 200
    assert api.call("PUT", f"{store}/keys/a", b"2").status == 429
    assert api.call("PUT", f"{store}/keys/b", b"1").status == 200
    clock.now += 0.5
    assert api.call("PUT", f"{store}/keys/a", b"2").status == 429
    clock.now += 0.5
    assert api.call("PUT", f"{store}/keys/a", b"2").status == 200


def test_reads_see_a_write_once_it_has_propagated(
    timed: tuple[Emulator, Api, str], clock: StandingClock
) -> None:
    emulator, api, store = timed
    path = f"{store}/keys/k"

    def read() -> tuple[int, bytes]:
        answer = api.call("GET", path)
        return answer.status, answer.data

    api.call("PUT", path, b"1")
    assert read() == (404, b"")
    assert api.json("GET", f"{store}/keys")["data"] == ["k"]
    assert api.json("GET", f"{store}/keys?consistency=eventual")["data"] == []
    clock.now += 5
    assert read() == (200, b"1")
    assert api.json("GET", f"{store}/keys?consistency=eventual")["data"] == ["k"]
    api.call("PUT", path, b"2")
    clock.now += 4
    assert read() == (200, b"1")
    assert emulator.get("specs", "k") == b"2"
    clock.now += 1
    assert read() == (200, b"2")
    api.call("PUT", f"{path}?background_fetch=true", b"3")
    clock.now += 64
    assert read() == (200, b"2")
    clock.now += 1
    assert read() == (200, b"3")
    api.call("DELETE", path)
    assert read() == (200, b"3")
    clock.now += 5
    assert read() == (404, b"")


def test_conditions_look_at_the_truth_not_at_what_reads_see(timed: tuple[Emulator, Api, str]) -> None:
    emulator, api, store = timed
    emulator.put("specs", "k", b"old")
    newest = emulator.put("specs", "k", b"new", visible_at=2e9)
    seen = api.call("GET", f"{store}/keys/k")
    assert seen.data == b"old"
    condition = {"if-generation-match": seen.headers["Generation"]}
    assert api.call("PUT", f"{store}/keys/k", b"x", headers=condition).status == 412
    condition = {"if-generation-match": str(newest)}
    assert api.call("PUT", f"{store}/keys/k", b"x", headers=condition).status == 200


# Access


@pytest.mark.parametrize("path", [KV, KV + "/x/keys/k", "/resources/stores/config", "/elsewhere"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_no_entry_without_a_token(emulator: Emulator, path: str, token: str) -> None:
    with Api(emulator, token=token) as api:
        answer = api.call("GET", path)
        assert (answer.status, answer.json()) == (401, {"msg": "Provided credentials are missing or invalid"})


def test_a_read_only_token_reads_only() -> None:
    with (
        Emulator(tokens=("full-1", "full-2"), read_only_tokens=("reader",)) as emulator,
        Api(emulator, token="reader") as api,
        Api(emulator, token="full-2") as writer,
    ):
        store = f"{KV}/{emulator.create_kv_store('specs')}"
        emulator.put("specs", "k", b"v")
        for method in ("GET", "HEAD"):
            assert api.call(method, f"{store}/keys/k").status == 200
        refused = [
            ("PUT", f"{store}/keys/k"),
            ("DELETE", f"{store}/keys/k"),
            ("PUT", f"{store}/batch"),
            ("POST", KV),
            ("PUT", store),
            ("DELETE", store),
        ]
        assert [api.call(method, path, b"x").status for method, path in refused] == [403] * len(refused)
        assert emulator.get("specs", "k") == b"v"
        assert writer.call("PUT", f"{store}/keys/k", b"w").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "{store}", 405),
        ("PATCH", "{store}/keys/k", 405),
        ("POST", "{store}/keys", 405),
        ("GET", "{store}/batch", 405),
        ("DELETE", KV, 405),
        ("GET", "{store}/nonsense", 404),
        ("GET", "/resources/stores/secret", 404),
        ("GET", "/", 404),
    ],
)
def test_what_does_not_exist(api: Api, store: str, method: str, path: str, status: int) -> None:
    assert api.call(method, path.format(store=store)).status == status


@pytest.mark.parametrize("place", ["/resources/stores/kv?token={}", "/resources/stores/kv/{}/keys/k"])
def test_a_token_in_the_url_fails_the_test_and_stays_hidden(place: str) -> None:
    token = "very-secret-token"
    escaped = "very%2Dsecret%2Dtoken"
    for spelling in (token, escaped):
        emulator = Emulator(tokens=(token,)).start()
        with Api(emulator) as api:
            raw = _raw_request(emulator, f"GET {place.format(spelling)} HTTP/1.1", f"Fastly-Key: {token}")
            assert raw.startswith(b"HTTP/1.1 400 ")
            assert api.call("GET", KV).status == 200
        with pytest.raises(AssertionError) as caught:
            emulator.__exit__(None, None, None)
        (leak, fine) = emulator.requests
        assert leak.token_in_url
        assert not fine.token_in_url
        shown = f"{caught.value} {emulator.requests} {emulator!r}"
        assert token not in shown
        assert escaped not in shown


def _raw_request(emulator: Emulator, *lines: str) -> bytes:
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=5) as connection:
        connection.sendall("\r\n".join([*lines, "Host: x", "Connection: close", "", ""]).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


# The record


def test_requests_are_recorded(clock: StandingClock) -> None:
    with Emulator(clock=clock, tokens=("secret-token-1",)) as emulator, Api(emulator) as api:
        store = emulator.create_kv_store("specs")
        api.call("PUT", f"{KV}/{store}/keys/a%2Fb?add=true&x=", b"body", headers={"Metadata": "m"})
        (request,) = emulator.requests
        assert (request.method, request.body_bytes, request.arrived_at) == ("PUT", b"body", clock.now)
        assert request.raw_path == f"{KV}/{store}/keys/a%2Fb?add=true&x="
        assert request.path == f"{KV}/{store}/keys/a/b"
        assert request.query == {"add": "true", "x": ""}
        assert request.headers["metadata"] == "m"
        assert request.headers["fastly-key"] == "secret-token-1"
        assert "secret-token-1" not in repr(request)
        assert emulator.take_requests() == [request]
        emulator.assert_no_more()
        api.call("GET", KV)
        with pytest.raises(AssertionError, match="1 more requests"):
            emulator.assert_no_more()
        assert len(emulator.wait_for_requests(1)) == 1
        with pytest.raises(TimeoutError, match="expected 2 requests"):
            emulator.wait_for_requests(2, timeout=0.01)


def test_expect_100_continue_is_answered(emulator: Emulator, store: str) -> None:
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=5) as connection:
        head = [
            f"PUT {store}/keys/k HTTP/1.1",
            "Host: x",
            f"Fastly-Key: {emulator.token}",
            "Content-Length: 3",
            "Expect: 100-continue",
        ]
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert emulator.get("specs", "k") == b"abc"


# The Python side


def test_python_calls_by_name_and_by_id(emulator: Emulator) -> None:
    store_id = emulator.create_kv_store("specs")
    assert emulator.kv_stores() == {"specs": store_id}
    generation = emulator.put(store_id, "any|key", b"v", metadata="m")
    item = emulator.item("specs", "any|key")
    assert item is not None
    assert (item.body, item.metadata, item.generation) == (b"v", "m", generation)
    assert emulator.keys("specs") == ["any|key"]
    assert emulator.delete("specs", "any|key") is True
    assert emulator.delete("specs", "any|key") is False
    assert emulator.get("specs", "any|key") is None
    with pytest.raises(ValueError, match="a store of this name exists"):
        emulator.create_kv_store("specs")
    with pytest.raises(KeyError, match="no KV store 'nowhere'"):
        emulator.put("nowhere", "k", b"v")


@pytest.mark.parametrize("tokens", [(), ("",)])
def test_an_emulator_needs_tokens(tokens: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="tokens: expected at least one"):
        Emulator(tokens=tokens)
    with pytest.raises(TypeError, match="expected sequences of strings"):
        Emulator(tokens="emulator-token")


def test_start_and_stop_many_times() -> None:
    threads = threading.active_count()
    emulator = Emulator()
    emulator.create_kv_store("specs")
    emulator.put("specs", "k", b"v")
    ports = set()
    for _ in range(20):
        with emulator, Api(emulator) as api:
            ports.add(emulator.port)
            assert len(api.json("GET", KV)["data"]) == 1
            with pytest.raises(RuntimeError, match="running already"):
                emulator.start()
        emulator.stop()
    assert len(ports) == 1
    assert threading.active_count() == threads
    assert emulator.get("specs", "k") == b"v"


def test_a_taken_port_is_an_os_error(emulator: Emulator) -> None:
    second = Emulator(port=emulator.port)
    with pytest.raises(OSError, match=r"[Aa]ddress"):
        second.start()
    second.stop()
