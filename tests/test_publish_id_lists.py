"""ID lists beside the config specs: what Statsig has is what a client reads out of the store."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from cli_runs import Commands
from id_list_server import IdListServer, ListedFile
from publishers import KEY, STORE, TickingClock, config_store, kv_store
from random_id_lists import written
from small_specs import condition, gate, rule
from small_specs import project as specs_project
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions
from statsig_fastly.adapters.fastly_id_lists import FastlyIdListAdapter
from statsig_fastly.adapters.id_list_items import IdListIndex, index_key
from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter
from statsig_fastly.emulator import Emulator
from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.id_lists import IdListPublisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statsig_fastly.publish.store import Store

NAMES = ("vip", "beta")


def lines(*units: str) -> bytes:
    return "".join(f"+{written(unit)}\n" for unit in units).encode()


@pytest.fixture
def server() -> Iterator[IdListServer]:
    with IdListServer(*NAMES) as running:
        running.lists = {"vip": ListedFile(lines("a", "b")), "beta": ListedFile(lines("c"))}
        yield running


def source(server: IdListServer) -> StatsigIdListAdapter:
    return StatsigIdListAdapter("secret-of-a-test", id_lists_url=server.index_url)


def own(server: IdListServer, emulator: Emulator, clock: TickingClock | None = None) -> IdListPublisher:
    clock = TickingClock() if clock is None else clock
    return IdListPublisher(source(server), kv_store(emulator, clock), KEY, wait=clock.wait, clock=clock)


def files(emulator: Emulator) -> dict[str, bytes]:
    """The lists as readers get them."""
    adapter = FastlyIdListAdapter(STORE, KEY, token=emulator.token, api=emulator.url)
    found = {file.name: adapter.fetch_id_list(file, 0) for file in adapter.fetch_id_lists()}
    adapter.close()
    return found


def list_keys(emulator: Emulator) -> set[str]:
    return {key for key in emulator.keys(STORE) if key.startswith("id_list.")}


def test_lists_are_published_once_and_only_what_is_new_is_read(
    server: IdListServer, emulator: Emulator
) -> None:
    publisher = own(server, emulator)
    first = publisher.publish()
    assert (first.outcome, first.lists, first.written) == ("published", 2, 2)
    assert files(emulator) == {"vip": lines("a", "b"), "beta": lines("c")}
    emulator.take_requests()
    assert publisher.publish().outcome == "unchanged"
    assert {request.method for request in emulator.take_requests()} == {"GET"}

    server.take_asked()
    server.lists["vip"] = ListedFile(lines("a", "b", "d"))
    assert publisher.publish().written == 1
    (asked,) = [asked for asked in server.take_asked() if "/files/" in asked.target]
    assert asked.headers["range"].startswith(f"bytes={len(lines('a', 'b'))}-")
    assert files(emulator) == {"vip": lines("a", "b", "d"), "beta": lines("c")}

    # Another file takes the place of the first, and a list goes.
    server.lists = {"vip": ListedFile(lines("z"), file_id="file 2", created=2)}
    publisher.publish()
    assert files(emulator) == {"vip": lines("z")}


def test_lists_that_nobody_names_go_after_an_hour(server: IdListServer) -> None:
    clock = TickingClock()
    with Emulator(clock=clock) as emulator:
        publisher = own(server, emulator, clock)
        for number in range(4):
            server.lists["vip"] = ListedFile(lines(*map(str, range(number + 1))))
            publisher.publish()
            clock.wait(600)
        assert len(list_keys(emulator)) == 5
        clock.wait(7200)
        server.lists["vip"] = ListedFile(lines(*map(str, range(9))))
        publisher.publish()
        # Those of the new index, and of the one before.
        assert len(list_keys(emulator)) == 3


def test_half_a_line_at_the_end_is_left_for_the_next_time(server: IdListServer, emulator: Emulator) -> None:
    server.lists = {"vip": ListedFile(lines("a") + b"+abc")}
    publisher = own(server, emulator)
    publisher.publish()
    assert files(emulator) == {"vip": lines("a")}
    server.lists = {"vip": ListedFile(lines("a", "b"))}
    publisher.publish()
    assert files(emulator) == {"vip": lines("a", "b")}


def test_what_is_no_list_leaves_what_is_there(server: IdListServer, emulator: Emulator) -> None:
    publisher = own(server, emulator)
    publisher.publish()
    server.lists["vip"] = ListedFile(b"<html>error</html>", file_id="file 2", created=2)
    with pytest.raises(AdapterError, match="vip"):
        publisher.publish()
    assert files(emulator) == {"vip": lines("a", "b"), "beta": lines("c")}


def test_two_publishers_end_in_an_index_of_one_of_them(server: IdListServer, emulator: Emulator) -> None:
    publishers = [own(server, emulator) for _ in range(2)]
    for number in range(10):
        server.lists["vip"] = ListedFile(lines(*map(str, range(number + 1))))
        threads = [threading.Thread(target=publisher.publish) for publisher in publishers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert files(emulator) == {name: listed.file for name, listed in server.lists.items()}
    assert IdListIndex.parse(emulator.get(STORE, index_key(KEY)) or b"").time_ms > 0


def test_lists_that_were_read_earlier_never_replace_newer_ones(
    server: IdListServer, emulator: Emulator
) -> None:
    """The first publisher reads the lists, and a second one publishes newer ones before the first writes."""
    first, second = (own(server, emulator) for _ in range(2))
    store = kv_store(emulator)

    class Overtaken:
        """The store of the first, which the second is quicker to write to."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
            if name == "write" and server.lists["vip"].file == lines("a", "b"):
                server.lists["vip"] = ListedFile(lines("a", "b", "new"))
                second.publish()
            return getattr(store, name)

    first._store = cast("Store", Overtaken())
    assert first.publish().outcome == "unchanged"
    assert files(emulator)["vip"] == lines("a", "b", "new")


def test_a_config_store_is_refused(server: IdListServer, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="expected a KV Store"):
        IdListPublisher(source(server), config_store(emulator), KEY)


def test_a_client_sees_the_lists_that_the_command_published(
    server: IdListServer, emulator: Emulator, tmp_path: Path
) -> None:
    from cdn_server import CdnServer

    specs = specs_project(
        {"listed": condition("unit_id", None, "in_segment_list", "vip")}, {"vips": gate([rule("listed")])}
    )
    emulator.create_kv_store(STORE)
    place = f"kv:{STORE}/{KEY}"
    with CdnServer(json.dumps(specs).encode()) as cdn:
        commands = Commands(
            emulator,
            tmp_path,
            STATSIG_SDK_KEY="secret-of-a-test",
            STATSIG_SPECS_URL=cdn.specs_url,
            STATSIG_ID_LISTS_URL=server.index_url,
        )
        report = commands.json("publish", "--from", "cdn", "--to", place, "--id-lists")
        assert report["warnings"] == []
        assert report["id_lists"] == {"outcome": "published", "lists": 2, "written": 2, "size": 30}
        assert (
            "ID lists  unchanged: 2"
            in commands.here("publish", "--from", "cdn", "--to", place, "--id-lists").stdout
        )
        # Who looks at payloads can ask for the lists as well.
        assert "gate vips: true" in commands.here("check", "a", "vips", "--from", place, "--id-lists").stdout
        assert "gate vips: false" in commands.here("check", "a", "vips", "--from", place).stdout
        told = commands.json_here("explain", "a", "vips", "--from", "cdn", "--id-lists")
        assert told["check"]["value"] is True
        (tmp_path / "users.csv").write_text("userID\na\nb\nd\n")
        counted = ("--users", "users.csv", "--id-lists")
        server.lists["vip"] = ListedFile(lines("a", "b", "d"))
        flips = commands.json_here("diff", place, "cdn", *counted)["flips"]
        assert [(spec["name"], spec["examples"]) for spec in flips["specs"]] == [("vips", ["d"])]
        (tmp_path / "next.json").write_text(json.dumps({**specs, "time": specs["time"] + 1}))
        assert commands.json_here("diff", place, "next.json", *counted)["flips"]["any_flip"] == 0
        cdn.payload = (tmp_path / "next.json").read_bytes()
        said = commands.refused_here(
            *("publish", "--from", "cdn", "--to", place, "--max-flips", "30%", *counted), status=3
        )
        assert "33.33% of 3 users would get another answer for gate 'vips'" in said
        server.lists["vip"] = ListedFile(lines("a", "b"), file_id="file 2", created=2)
        cdn.payload = json.dumps(specs).encode()
        emulator.take_requests()
        for of_it in ("unchanged", "would publish"):
            trial = commands.json_here("publish", "--from", "cdn", "--to", place, "--id-lists", "--dry-run")
            assert (trial["outcome"], trial["id_lists"]) == (of_it, None)
            cdn.payload = json.dumps({**specs, "time": specs["time"] + 2}).encode()
        assert "PUT" not in {request.method for request in emulator.take_requests()}
        emulator.create_kv_store("copy")
        copied = commands.json_here("publish", "--from", place, "--to", f"kv:copy/{KEY}", "--id-lists")
        assert copied["id_lists"]["written"] == 2
    options = StatsigOptions(
        data_adapter=FastlyDataAdapter("copy", KEY, token=emulator.token, api=emulator.url),
        id_list_adapter=FastlyIdListAdapter("copy", KEY, token=emulator.token, api=emulator.url),
    )
    with Statsig("secret-key", options) as statsig:
        assert statsig.check_gate("a", "vips")
        assert not statsig.check_gate("c", "vips")
