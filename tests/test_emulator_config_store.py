from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest

from api_client import CONFIG, Api, StandingClock
from statsig_fastly.emulator import Emulator


@pytest.fixture
def store(emulator: Emulator) -> str:
    """Path of a Config Store named `cfg` with the entry `a` = `b`."""
    return f"{CONFIG}/{emulator.create_config_store('cfg', {'a': 'b'})}"


def test_a_store_lives_and_dies(clock: StandingClock) -> None:
    with Emulator(clock=clock) as emulator, Api(emulator) as api:
        assert api.json("GET", CONFIG) == []
        answer = api.form("POST", CONFIG, "name=cfg+1")
        assert answer.status == 200
        created = answer.json()
        assert re.fullmatch(r"[A-Za-z0-9]{22}", created["id"])
        assert created == {
            "name": "cfg 1",
            "id": created["id"],
            "created_at": "2025-06-23T19:41:16Z",
            "updated_at": "2025-06-23T19:41:16Z",
            "deleted_at": None,
        }
        path = f"{CONFIG}/{created['id']}"
        assert api.json("GET", path) == created
        assert api.json("GET", f"{path}/info") == {"item_count": 0}
        assert api.json("GET", f"{path}/services") == []
        assert api.json("GET", f"{path}/items") == []
        clock.now += 60
        renamed = api.form("PUT", path, "name=new").json()
        assert renamed == {**created, "name": "new", "updated_at": "2025-06-23T19:42:16Z"}
        assert api.json("GET", CONFIG) == [renamed]
        assert api.json("DELETE", path) == {"status": "ok"}
        for method, rest in [
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/info"),
            ("GET", "/items"),
            ("GET", "/services"),
        ]:
            assert api.json(method, path + rest, status=404) == {"msg": "Record not found"}
        assert api.form("PUT", path, "name=x").status == 404


def test_stores_are_listed_as_a_bare_array_and_by_name(emulator: Emulator, api: Api) -> None:
    ids = [emulator.create_config_store(name) for name in ("one", "two")]
    assert sorted(entry["id"] for entry in api.json("GET", CONFIG)) == sorted(ids)
    assert [entry["id"] for entry in api.json("GET", f"{CONFIG}?name=two")] == [ids[1]]
    assert api.json("GET", f"{CONFIG}?name=three") == []


@pytest.mark.parametrize("body", ["", "name=", "other=x", "name=cfg", f"name={'n' * 256}", b"name=\xff"])
def test_store_names_that_are_refused(emulator: Emulator, api: Api, store: str, body: str | bytes) -> None:
    assert api.call("POST", CONFIG, body).status == 400
    assert list(emulator.config_stores()) == ["cfg"]
    other = emulator.create_config_store("other")
    assert api.call("PUT", f"{CONFIG}/{other}", body).status == 400
    assert api.json("GET", store)["name"] == "cfg"


def test_an_item_lives_and_dies(clock: StandingClock) -> None:
    with Emulator(clock=clock) as emulator, Api(emulator) as api:
        store_id = emulator.create_config_store("cfg")
        path = f"{CONFIG}/{store_id}"
        answer = api.form("POST", f"{path}/item", "item_key=k+1&item_value=%C3%A9+%26&StoreID=ignored")
        assert answer.status == 200
        created = answer.json()
        assert created == {
            "item_key": "k 1",
            "item_value": "é &",
            "created_at": "2025-06-23T19:41:16Z",
            "updated_at": "2025-06-23T19:41:16Z",
            "deleted_at": None,
            "store_id": store_id,
        }
        one = f"{path}/item/k%201"
        assert api.json("GET", one) == created
        clock.now += 1
        updated = api.form("PATCH", one, "item_value=new").json()
        assert updated == {**created, "item_value": "new", "updated_at": "2025-06-23T19:41:17Z"}
        upserted = api.form("PUT", f"{path}/item/other", "item_value=").json()
        assert (upserted["item_key"], upserted["item_value"]) == ("other", "")
        assert api.form("PUT", one, "item_value=newer").json()["created_at"] == created["created_at"]
        listed = api.json("GET", f"{path}/items")
        assert [(item["item_key"], item["item_value"]) for item in listed] == [
            ("k 1", "newer"),
            ("other", ""),
        ]
        assert api.json("GET", f"{path}/info") == {"item_count": 2}
        assert api.json("DELETE", one) == {"status": "ok"}
        assert api.json("GET", one, status=404) == {"msg": "Record not found"}
        assert api.json("DELETE", one, status=404) == {"msg": "Record not found"}
        assert emulator.config_items("cfg") == {"other": ""}


@pytest.mark.parametrize(
    ("method", "rest", "body", "status"),
    [
        ("PATCH", "/item/absent", "item_value=x", 404),
        ("POST", "/item", "item_key=a&item_value=x", 400),
        ("POST", "/item", "item_key=new", 400),
        ("POST", "/item", "item_value=x", 400),
        ("PUT", "/item/a", "value=x", 400),
        ("POST", "/item", f"item_key={'k' * 256}&item_value=x", 400),
        ("PUT", f"/item/{'k' * 256}", "item_value=x", 400),
        ("PUT", "/item/", "item_value=x", 400),
        ("PUT", "/item/a", f"item_value={'x' * 8001}", 400),
        ("PATCH", "/item/a", f"item_value={'x' * 8001}", 400),
        ("POST", "/item/a", "item_value=x", 405),
        ("POST", "/items", "", 405),
        ("PUT", "/info", "", 405),
        ("GET", "/nonsense", "", 404),
    ],
)
def test_item_writes_that_are_refused(
    *, emulator: Emulator, api: Api, store: str, method: str, rest: str, body: str, status: int
) -> None:
    assert api.form(method, store + rest, body).status == status
    assert emulator.config_items("cfg") == {"a": "b"}


def test_limits_are_counted_in_characters(emulator: Emulator, api: Api, store: str) -> None:
    key, value = "é" * 255, "🍉" * 8000
    answer = api.form("POST", f"{store}/item", urlencode({"item_key": key, "item_value": value}))
    assert answer.status == 200
    assert emulator.config_items("cfg")[key] == value


def test_a_store_holds_500_items(emulator: Emulator, api: Api, store: str) -> None:
    for number in range(499):
        emulator.set_config_item("cfg", f"k{number}", "")
    assert api.form("POST", f"{store}/item", "item_key=more&item_value=x").status == 400
    assert api.form("PUT", f"{store}/item/more", "item_value=x").status == 400
    assert api.form("PUT", f"{store}/item/a", "item_value=x").status == 200
    assert api.json("GET", f"{store}/info") == {"item_count": 500}


def test_bulk_change(emulator: Emulator, api: Api, store: str) -> None:
    emulator.set_config_item("cfg", "old", "x")
    operations = [
        {"op": "create", "item_key": "n", "item_value": "1"},
        {"op": "update", "item_key": "n", "item_value": "2"},
        {"op": "upsert", "item_key": "a", "item_value": "3"},
        {"op": "delete", "item_key": "old"},
    ]
    assert api.json("PATCH", f"{store}/items", {"items": operations}) == {"status": "ok"}
    assert emulator.config_items("cfg") == {"a": "3", "n": "2"}


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ({"op": "update", "item_key": "absent", "item_value": "x"}, 404),
        ({"op": "delete", "item_key": "absent"}, 404),
        ({"op": "create", "item_key": "a", "item_value": "x"}, 400),
        ({"op": "rename", "item_key": "a", "item_value": "x"}, 400),
        ({"op": "upsert", "item_key": "a"}, 400),
        ({"op": "upsert", "item_key": "a", "item_value": 5}, 400),
        ({"op": "upsert", "item_key": "a", "item_value": "x" * 8001}, 400),
        ("not an object", 400),
    ],
)
def test_a_refused_bulk_change_changes_nothing(
    emulator: Emulator, api: Api, store: str, last: object, status: int
) -> None:
    operations = [{"op": "upsert", "item_key": "a", "item_value": "changed"}, last]
    api.json("PATCH", f"{store}/items", {"items": operations}, status=status)
    assert emulator.config_items("cfg") == {"a": "b"}


@pytest.mark.parametrize("body", ["{", "[]", '{"items":5}'])
def test_bulk_bodies_that_are_refused(api: Api, store: str, body: str) -> None:
    assert api.call("PATCH", f"{store}/items", body).status == 400


def test_bulk_takes_1000_operations(api: Api, store: str) -> None:
    one = {"op": "upsert", "item_key": "a", "item_value": "x"}
    assert api.call("PATCH", f"{store}/items", json.dumps({"items": [one] * 1000})).status == 200
    assert api.call("PATCH", f"{store}/items", json.dumps({"items": [one] * 1001})).status == 400


def test_writes_carry_the_rate_limit_and_run_into_it(clock: StandingClock) -> None:
    with Emulator(clock=clock, hourly_writes=2) as emulator, Api(emulator) as api:
        path = f"{CONFIG}/{emulator.create_config_store('cfg')}/item/k"
        next_hour = str((int(clock.now) // 3600 + 1) * 3600)
        seen = []
        for _ in range(3):
            answer = api.form("PUT", path, "item_value=x")
            assert answer.headers["Fastly-RateLimit-Reset"] == next_hour
            seen.append((answer.status, answer.headers["Fastly-RateLimit-Remaining"]))
        assert seen == [(200, "1"), (200, "0"), (429, "0")]
        read = api.call("GET", path)
        assert read.status == 200
        assert "Fastly-RateLimit-Remaining" not in read.headers
        clock.now += 3600
        assert api.form("PUT", path, "item_value=x").status == 200


def test_a_read_only_token_reads_only() -> None:
    with Emulator(read_only_tokens=("reader",)) as emulator, Api(emulator, token="reader") as api:
        path = f"{CONFIG}/{emulator.create_config_store('cfg', {'a': 'b'})}"
        assert api.json("GET", f"{path}/item/a")["item_value"] == "b"
        assert api.form("PUT", f"{path}/item/a", "item_value=x").status == 403
        assert api.call("DELETE", path).status == 403
        assert emulator.config_items("cfg") == {"a": "b"}


def test_python_calls(emulator: Emulator) -> None:
    store_id = emulator.create_config_store("cfg", {"a": "b"})
    assert emulator.config_stores() == {"cfg": store_id}
    emulator.set_config_item(store_id, "long", "x" * 9000)
    assert emulator.config_items(store_id) == {"a": "b", "long": "x" * 9000}
    with pytest.raises(ValueError, match="a store of this name exists"):
        emulator.create_config_store("cfg")
    with pytest.raises(KeyError, match="no Config Store 'nowhere'"):
        emulator.config_items("nowhere")
