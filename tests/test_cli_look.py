"""`diff`, `inspect`, `check`, `explain`, `stores`, `keys` and `bench` as users run them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from cli_runs import Commands
from small_project import payload
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from pathlib import Path

    from statsig_fastly.emulator import Emulator


@pytest.fixture
def commands(emulator: Emulator, tmp_path: Path) -> Commands:
    emulator.create_kv_store("specs")
    emulator.put("specs", "statsig-1", payload())
    emulator.create_config_store("small", {"a": "1", "b": "2"})
    new = sample_project()
    (tmp_path / "old.json").write_text(json.dumps(new))
    new["feature_gates"]["test_fastly"]["rules"][0]["passPercentage"] = 60
    new["dynamic_configs"]["pricing"]["rules"] = []
    (tmp_path / "new.json").write_text(json.dumps(new))
    return Commands(emulator, tmp_path)


def test_a_diff_tells_what_changed_and_draws_for_how_many(commands: Commands, tmp_path: Path) -> None:
    done = commands.run(
        "diff", "old.json", "new.json", "--sample", "2000", "--plot", "flips.svg", "--exit-code"
    )
    assert (done.returncode, done.stderr) == (4, "")
    assert "gate 'test_fastly' changed: rule" in done.stdout
    assert "percentage 50 -> 60" in done.stdout
    assert " of 2,000 users (" in done.stdout
    assert done.stdout.isascii()
    drawn = ET.parse(tmp_path / "flips.svg").getroot()  # noqa: S314 - it was written here
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert any(
        "gate test_fastly" in (title.text or "") for title in drawn.iter("{http://www.w3.org/2000/svg}title")
    )

    (tmp_path / "users.jsonl").write_text('{"userID": "a"}\n{"user_id": "b", "custom": {"plan": "pro"}}\n')
    found = commands.json_here("diff", "old.json", "new.json", "--users", "users.jsonl")
    assert found["flips"]["users"] == 2
    assert {change["name"] for change in found["changes"]["specs"]} == {"test_fastly", "pricing"}

    same = commands.here("diff", "old.json", "file:old.json", "--sample", "10", "--exit-code")
    assert same.returncode == 0
    assert same.stdout.startswith("Nothing changed")


def test_an_inspection_counts_and_names_what_is_large(commands: Commands) -> None:
    found = commands.json("inspect", "kv:specs/statsig-1")
    assert found["format"] == "v1"
    assert found["counts"]["feature_gate"] == 10
    assert found["user_fields"]["email"] == 1
    assert found["unit_ids"] == {"userID": 16, "companyID": 1}
    assert set(found["compressed"]) == {"gzip", "zstd", "brotli"}
    assert found["largest"][0]["size"] > found["largest"][-1]["size"]
    assert any("not supported" in warning for warning in found["warnings"])
    text = commands.here("inspect", "old.json").stdout
    assert "ID lists" not in text
    assert "  unit ids     userID (" in text


def test_a_check_and_its_explanation(commands: Commands, tmp_path: Path) -> None:
    place = "kv:specs/statsig-1"
    found = commands.json("check", '{"userID": "a", "country": "NZ"}', "button", "--from", place)
    assert found == {
        "kind": "experiment",
        "name": "button",
        "value": {"color": "blue", "size": 2},
        "rule_id": "blue_rule",
        "group_name": "Blue",
        "reason": "Payload:Recognized",
    }
    assert commands.here("check", "a", "off", "--from", place).stdout == "gate off: false (rule 'default')\n"
    (tmp_path / "user.json").write_text('{"userID": "a", "email": "x@example.com"}')
    explained = commands.run("explain", "@user.json", "staff", "--from", place)
    assert explained.returncode == 0
    assert "gate 'staff' is true: rule 'staff_rule' decided" in explained.stdout
    assert 'user_field email str_ends_with_any ["@example.com"]: met "x@example.com": yes' in explained.stdout
    tree = commands.json_here("explain", "a", "follows_on", "--from", place)
    assert tree["check"]["rules"][0]["conditions"][0]["checks"][0]["name"] == "on"
    said = commands.refused_here("check", "a", "staff", "--from", place, "--kind", "layer", status=1)
    assert "there is no layer 'staff'; there is a gate of that name" in said
    said = commands.refused_here("check", "a", "stafff", "--from", place, status=1)
    assert "there is no gate, config, experiment or layer 'stafff'; did you mean 'staff'" in said


def test_stores_and_keys(commands: Commands, emulator: Emulator) -> None:
    found = commands.json("stores")
    assert [(store["kind"], store["name"]) for store in found] == [("kv", "specs"), ("config", "small")]
    assert found[0]["id"] == emulator.kv_stores()["specs"]
    assert commands.here("keys", "config:small").stdout == "a\nb\n"
    (key,) = commands.json("keys", "kv:specs", "--prefix", "statsig-", "--long")
    assert key["key"] == "statsig-1"
    assert key["modified_at"] > 1.6e9
    made = commands.json_here("stores", "--create", "kv:another")
    assert ("kv", "another") in [(store["kind"], store["name"]) for store in made]
    assert "another" in emulator.kv_stores()
    commands.json_here("stores", "--create", "config:second")
    assert "second" in emulator.config_stores()
    assert "HTTP 400" in commands.refused_here("stores", "--create", "kv:another", status=1)
    assert commands.here("stores").stdout.splitlines()[2].startswith("kv      specs    ")


def test_errors_are_told_as_json_as_well(commands: Commands) -> None:
    done = commands.here("pull", "old.json", "--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert told["status"] == 2
    assert done.stderr == f"statsig-fastly pull: {told['error']}\n"
    assert "expected with --out only" in told["error"]


def test_names_with_control_characters_are_shown_without_them(commands: Commands, tmp_path: Path) -> None:
    for file, passes in (("a.json", 0), ("b.json", 100)):
        project = sample_project(gates=20, configs=16)
        project["feature_gates"]["\x1b[2J<&>\x00"] = {
            **project["feature_gates"]["test_fastly"],
            "rules": [{**project["feature_gates"]["test_fastly"]["rules"][0], "passPercentage": passes}],
        }
        (tmp_path / file).write_text(json.dumps(project))
    done = commands.here("diff", "a.json", "b.json", "--sample", "50", "--plot", "flips.svg")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\x1b" not in commands.refused_here("check", "a", "\x1b[2J", "--from", "a.json", status=1)
    (title,) = ET.parse(tmp_path / "flips.svg").iter("{http://www.w3.org/2000/svg}title")  # noqa: S314
    assert "[2J<&>" in (title.text or "")


def test_a_picture_that_cannot_be_written_and_a_payload_with_nothing_in_it(
    commands: Commands, tmp_path: Path
) -> None:
    plot = ("diff", "old.json", "new.json", "--sample", "5", "--plot", "absent/flips.svg")
    assert "--plot: cannot write absent/flips.svg: No such file" in commands.refused_here(*plot, status=1)
    empty = {"has_updates": True, "time": 1, "feature_gates": [], "dynamic_configs": [], "layer_configs": []}
    (tmp_path / "empty.json").write_text(json.dumps(empty))
    assert "nothing to check" in commands.refused_here("bench", "empty.json", "--seconds", "0.1", status=1)


def test_a_bench_times_every_kind(commands: Commands) -> None:
    found = commands.json("bench", "kv:specs/statsig-1", "--seconds", "0.1")
    assert set(found["ns"]) == {"gate", "config", "experiment", "layer"}
    assert all(ns["median"] > 0 for ns in found["ns"].values())
    assert found["load_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["diff", "old.json", "nothing"], "NEW: expected cdn, file:PATH"),
        (["check", "{", "gate", "--from", "old.json"], "USER: expected a JSON object"),
        (["check", '{"plan": 1}', "gate", "--from", "old.json"], "no such field 'plan'"),
        (["explain", "@absent", "gate", "--from", "old.json"], "USER: cannot read absent: No such file"),
        (["keys", "file:old.json"], "STORE: expected kv:STORE or config:STORE"),
        (
            ["keys", "kv:specs/statsig-1"],
            "STORE: expected kv:STORE or config:STORE, got 'kv:specs/statsig-1'",
        ),
        (["stores", "--create", "another"], "--create: expected kv:NAME or config:NAME, got 'another'"),
        (["bench", "old.json", "--seconds", "soon"], "--seconds"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    commands: Commands, arguments: list[str], said: str
) -> None:
    assert said in commands.refused_here(*arguments, status=2)


def test_every_help_has_an_example_and_tells_the_exit_codes_and_every_command_has_json() -> None:
    import typer.main

    from statsig_fastly.cli.app import build_app

    commands = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
    assert len(commands) == 13
    for name, command in commands.items():
        assert f"Example: statsig-fastly {name}" in command.help
        assert "Ends with 0" in command.help
        assert "--json" in [option for parameter in command.params for option in parameter.opts]
