"""`publish`, `history`, `rollback` and `pull` as users run them, to an emulator with its limits on."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from cdn_server import CdnServer
from cli_runs import Commands
from publishers import KEY, STORE, padded
from small_project import TIME, payload
from statsig_fastly.emulator import Emulator, Fault

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

PLACE = f"kv:{STORE}/{KEY}"


@pytest.fixture
def limited(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator as Fastly is: reads are behind, and so many seconds have to lie between two writes."""
    with Emulator(write_interval=getattr(request, "param", 0.1), propagation=0.1) as running:
        running.create_kv_store(STORE)
        running.create_config_store("small")
        yield running


@pytest.fixture
def commands(limited: Emulator, tmp_path: Path) -> Commands:
    (tmp_path / "old.json").write_bytes(payload())
    (tmp_path / "new.json").write_bytes(payload(TIME + 1, 2))
    return Commands(limited, tmp_path)


@pytest.mark.parametrize("limited", [1.0], indirect=True)
def test_a_payload_is_published_and_rolled_back_byte_for_byte(limited: Emulator, commands: Commands) -> None:
    first = commands.json("publish", "--from", "file:old.json", "--to", PLACE)
    assert (first["outcome"], first["previous_time"], first["size"]) == ("published", None, len(payload()))
    original = limited.item(STORE, KEY)
    assert original is not None
    assert original.body == payload()
    assert len(original.metadata) <= 1000
    assert original.metadata.startswith(f"time={TIME};sha256={first['digest']};n=")

    assert commands.json_here("publish", "--from", "old.json", "--to", PLACE)["outcome"] == "unchanged"
    again = limited.item(STORE, KEY)
    assert again is not None
    assert again.generation == original.generation

    assert commands.json_here("publish", "--from", "file:new.json", "--to", PLACE)["outcome"] == "published"
    assert limited.get(STORE, KEY) == payload(TIME + 1, 2)
    assert "newer payload" in commands.refused_here("publish", "--from", "old.json", "--to", PLACE, status=3)

    versions = commands.json("history", PLACE)
    assert [version["in_use"] for version in versions] == [True, False]
    back = commands.json("rollback", PLACE)
    assert (back["outcome"], back["version"]) == ("published", versions[1]["id"])
    assert limited.get(STORE, KEY) == payload()
    assert "was rolled back" in commands.refused("publish", "--from", "new.json", "--to", PLACE, status=3)
    assert (
        commands.json_here("publish", "--from", "new.json", "--to", PLACE, "--force")["outcome"]
        == "published"
    )


def test_text_tells_what_was_done(commands: Commands) -> None:
    done = commands.run("publish", "--from", "old.json", "--to", PLACE)
    assert done.returncode == 0
    assert done.stdout.startswith(f"published: key '{KEY}' of KV store '{STORE}' at 127.0.0.1:")
    assert re.search(
        r"specs     1 autotune, \d dynamic config, \d experiment, 10 feature gate, 2 layer", done.stdout
    )
    # What will not work is told, and keeps nothing from being published.
    assert "warning: gate 'unsupported': rule 'unsupported_rule': operator" in done.stderr
    assert done.stdout.isascii()
    listed = commands.here("history", PLACE).stdout
    assert re.search(r"^[0-9a-f]{16} .* plain +- +in use$", listed, re.MULTILINE)


def test_too_many_users_would_get_another_answer(
    limited: Emulator, commands: Commands, tmp_path: Path
) -> None:
    limited.put(STORE, KEY, payload())
    (tmp_path / "users.csv").write_text("userID,country,custom.plan\na,NZ,pro\nb,US,\nc,,free\n")
    refused = commands.refused_here(
        *("publish", "--from", "new.json", "--to", PLACE, "--max-flips", "2%", "--users", "users.csv"),
        status=3,
    )
    assert (
        "100.00% of 3 users would get another answer for config 'number', and the limit is 2.00%" in refused
    )
    told = commands.here(
        *(
            "publish",
            "--from",
            "new.json",
            "--to",
            PLACE,
            "--max-flips",
            "2%",
            "--users",
            "users.csv",
            "--json",
        )
    )
    assert told.returncode == 3
    assert json.loads(told.stdout)["why"] == "flips"
    assert json.loads(told.stdout)["flips"]["specs"][0]["flipped"] == 3
    assert limited.get(STORE, KEY) == payload()
    dry = commands.json_here(
        "publish", "--from", "new.json", "--to", PLACE, "--max-flips", "1", "--sample", "500", "--dry-run"
    )
    assert (dry["outcome"], dry["flips"]["any_flip"]) == ("would publish", 500)
    assert limited.get(STORE, KEY) == payload()
    # What Statsig's own push wrote is kept as well.
    commands.json_here("publish", "--from", "new.json", "--to", PLACE)
    commands.json_here("rollback", PLACE)
    assert limited.get(STORE, KEY) == payload()


def test_a_config_store_takes_it_in_chunks(commands: Commands, tmp_path: Path) -> None:
    place = f"config:small/{KEY}"
    report = commands.json_here("publish", "--from", "old.json", "--to", place, "--compress", "gzip")
    assert (report["encoding"], report["chunks"]) == ("gzip+chunks", 1)
    (tmp_path / "large.json").write_bytes(padded(100_000, TIME + 2))
    report = commands.json_here("publish", "--from", "large.json", "--to", place)
    assert report["encoding"] == "plain+chunks"
    assert report["chunks"] > 12
    assert commands.json_here("pull", place, "--out", "pulled.json")["digest"] == report["digest"]
    assert (tmp_path / "pulled.json").read_bytes() == padded(100_000, TIME + 2)
    commands.json_here("rollback", place)
    assert commands.run("pull", place).stdout.encode() == payload()
    said = commands.refused_here(
        "publish", "--from", "large.json", "--to", place, "--chunks", "never", "--force", status=3
    )
    assert "Config Store 'small' at" in said


def test_it_goes_on_where_the_store_fails_for_a_while(limited: Emulator, commands: Commands) -> None:
    limited.fault(Fault(method="PUT", status=429, headers={"Retry-After": "1"}))
    limited.fault(Fault(method="PUT", reset="before", after=True))  # written, and the answer is lost
    limited.fault(Fault(method="GET", path="/keys/", status=503))
    assert commands.json_here("publish", "--from", "old.json", "--to", PLACE, "--keep", "0")["outcome"] in {
        "published",
        "unchanged",
    }
    assert limited.get(STORE, KEY) == payload()


def test_a_fastly_toml_is_filled_from_nothing(commands: Commands, tmp_path: Path) -> None:
    place = f"toml:fastly.toml#{STORE}/{KEY}"
    assert commands.json_here("publish", "--from", "old.json", "--to", place)["outcome"] == "published"
    assert "[[local_server.kv_stores.specs]]" in (tmp_path / "fastly.toml").read_text()
    assert (
        commands.json_here("publish", "--from", "new.json", "--to", "toml:fastly.toml")["outcome"]
        == "published"
    )
    assert commands.here("pull", "toml:fastly.toml").stdout.encode() == payload(TIME + 1, 2)


def test_a_fastly_toml_goes_back_to_versions_in_a_directory(commands: Commands, tmp_path: Path) -> None:
    place, kept = f"toml:fastly.toml#{STORE}/{KEY}", ("--history", "versions")
    for source in ("old.json", "new.json"):
        commands.json_here("publish", "--from", source, "--to", place, *kept)
    assert [version["in_use"] for version in commands.json_here("history", place, *kept)] == [True, False]
    assert commands.json_here("rollback", place, *kept)["outcome"] == "published"
    assert (tmp_path / f"{KEY}.json").read_bytes() == payload()
    assert "before the current one" in commands.refused_here("rollback", place, *kept, status=1)


def test_a_restamped_version_is_newer(limited: Emulator, commands: Commands) -> None:
    commands.json_here("publish", "--from", "old.json", "--to", PLACE, "--history", "versions")
    commands.json_here("publish", "--from", "new.json", "--to", PLACE, "--history", "versions")
    assert limited.keys(STORE) == [KEY]
    (_, before) = commands.json_here("history", PLACE, "--history", "versions")
    restamped = commands.json_here("rollback", PLACE, before["id"][:6], "--restamp", "--history", "versions")
    assert restamped["time"] == TIME + 2
    stored = json.loads(limited.get(STORE, KEY) or b"")
    assert {**stored, "time": TIME} == json.loads(payload())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "nowhere", "--to", PLACE], "--from: expected cdn, file:PATH"),
        (["--from", "old.json", "--to", "kv:specs"], "--to: expected kv:STORE/KEY"),
        (
            ["--from", "old.json", "--to", PLACE, "--max-flips", "lots"],
            "--max-flips: expected a share such as 2%",
        ),
        (
            ["--from", "old.json", "--to", PLACE, "--max-flips", "1%", "--users", "no.csv"],
            "no.csv: No such file",
        ),
        (
            ["--from", "old.json", "--to", PLACE, "--watch", "--interval", "0"],
            "--interval: expected a duration",
        ),
        (["--from", "cdn", "--to", PLACE], "environment variable STATSIG_SDK_KEY: expected the server key"),
        (
            ["--from", "old.json", "--to", PLACE, "--token-env", "NOT_SET"],
            "environment variable NOT_SET: expected",
        ),
        (["--from", "old.json", "--to", PLACE, "--api", "http://api.fastly.com"], "api: expected https"),
        (["--from", "old.json"], "Missing option '--to'"),
        (["--from", "old.json", "--to", PLACE, "--interval", "soon"], "--interval: expected a duration"),
        (
            ["--from", "old.json", "--to", PLACE, "--health-port", "0"],
            "--health-port: expected together with --watch",
        ),
        (
            ["--from", "old.json", "--to", PLACE, "--health-file", "h"],
            "--health-file: expected together with --watch",
        ),
        (
            ["--from", "old.json", "--to", PLACE, "--users", "old.json"],
            "--users: expected together with --max-flips",
        ),
        (["--from", "old.json", "--to", "kv:specs/a?b"], "--to: the key must not contain '?', got 'a?b'"),
        (["--from", "old.json", "--to", f"config:small/{'k' * 256}"], "--to: the key must have 1 to 255"),
        (["--from", "old.json", "--to", PLACE, "--history", "new.json"], "--history: expected a directory"),
        (["--from", "old.json", "--to", PLACE, "--compress", "zip"], "--compress"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    commands: Commands, arguments: list[str], said: str
) -> None:
    assert said in commands.refused_here("publish", *arguments, status=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish", "--from", "absent.json", "--to", PLACE], "absent.json"),
        (
            ["publish", "--from", "old.json", "--to", f"kv:other/{KEY}"],
            "no such store; this token sees 'specs'",
        ),
        (["rollback", PLACE], "no version of key 'statsig-1' before the current one is kept"),
        (["rollback", PLACE, "0123"], "no version of key 'statsig-1' starts with '0123'; kept: none"),
        (["pull", PLACE], "the store has no such key"),
        (["pull", "old.json", "--out", "."], "--out: cannot write .: "),
        (["pull", "old.json", "--out", "absent/x.json"], "--out: cannot write absent/x.json: No such file"),
        (
            ["publish", "--from", "old.json", "--to", PLACE, "--watch", "--health-file", "absent/h"],
            "--health-file: cannot write absent/h: No such file",
        ),
    ],
)
def test_what_fails_is_one_line_and_status_1(commands: Commands, arguments: list[str], said: str) -> None:
    assert said in commands.refused_here(*arguments, status=1)


def test_a_watch_whose_health_nobody_can_be_told_does_not_start(commands: Commands) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = commands.refused_here(
            *("publish", "--from", "old.json", "--to", PLACE, "--watch", "--health-port", str(port)), status=1
        )
    assert f"--health-port: cannot listen on 127.0.0.1:{port}: " in said


def test_too_many_chunks_are_refused(commands: Commands) -> None:
    said = commands.refused_here(
        *("publish", "--from", "old.json", "--to", PLACE, "--largest", "1"), status=3
    )
    assert "holds 1; that makes more chunks than one manifest can name" in said


@pytest.mark.parametrize("command", ["history", "rollback"])
def test_a_directory_of_versions_has_to_be_there(commands: Commands, command: str) -> None:
    said = commands.refused_here(command, PLACE, "--history", "absent", status=2)
    assert "--history: expected a directory at absent, and there is none" in said


def test_a_payload_that_no_client_could_use_is_not_published(
    limited: Emulator, commands: Commands, tmp_path: Path
) -> None:
    (tmp_path / "cut.json").write_bytes(payload()[:-100])
    commands.refused_here("publish", "--from", "cut.json", "--to", PLACE, status=1)
    assert limited.keys(STORE) == []


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next look that a watch tells of."""
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_a_watch_follows_the_cdn_tells_its_health_and_ends_on_sigterm(
    limited: Emulator, commands: Commands, tmp_path: Path
) -> None:
    with CdnServer(payload()) as cdn:
        commands.environment |= {"STATSIG_SDK_KEY": "secret-of-a-test"}
        watch = ("publish", "--from", "cdn", "--specs-url", cdn.specs_url, "--to", PLACE, "--watch", "--json")
        with commands.running(
            *watch, "--interval", "50ms", "--health-file", "h", "--health-port", "0"
        ) as process:
            address = told(process)["health"]
            assert told(process)["outcome"] == "published"
            assert urllib3.request("GET", address, retries=False).status == 200
            assert limited.get(STORE, KEY) == payload()
            cdn.payload = payload(TIME + 5, 5)
            while (seen := told(process))["outcome"] == "nothing new":
                pass
            assert (seen["outcome"], seen["time"]) == ("published", TIME + 5)
            assert limited.get(STORE, KEY) == payload(TIME + 5, 5)
            cdn.payload = b"<html>"
            while (seen := told(process))["outcome"] == "nothing new":
                pass
            assert (seen["outcome"], seen["failures"]) == ("failed", 1)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
        health = json.loads((tmp_path / "h").read_text())
        assert (health["outcome"], health["healthy"]) == ("failed", True)
    assert "secret-of-a-test" not in json.dumps(health)
