"""`statsig-fastly demo` shows what it should, on a terminal and in a pipe, and notices what is off."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from api_client import KV, Api
from reference import Reference
from statsig_fastly import StatsigFastlyError
from statsig_fastly.cli import demo_run
from statsig_fastly.cli.app import build_app
from statsig_fastly.cli.demo_report import DemoReport, Share
from statsig_fastly.cli.demo_run import collect
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.sample_project import (
    BUTTON_EXPERIMENT,
    CHECKOUT_LAYER,
    HOLDOUT,
    PRICING_CONFIG,
    TEST_GATE,
    sample_project,
)

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = [sys.executable, "-m", "statsig_fastly.cli", "demo"]
FEW = 1000  # users, where the shares themselves are not what is tested

SHARES = ("test_fastly", "button_color: Control", "button_color: Blue", "button_color: Green")
GROUPS = SHARES[1:]
AFTER = "test_fastly, after the change"
PEOPLE = ("user-2", "user-1", "user-12", "user-17")
CHECKOUT = PEOPLE[1:]
SENT, GOT, EXPOSED = "sent, says the client", "got by the collector", "users exposed to test_fastly"
STEPS = ("publish", "start", "sync, nothing new", "publish a change", "sync, something new")


def environment(**more: str) -> dict[str, str]:
    dropped = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "FASTLY_API_TOKEN"}
    return {**{name: value for name, value in os.environ.items() if name not in dropped}, **more}


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command with its output in pipes."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(**more),
    )


def run_in_terminal(columns: int, *arguments: str, term: str = "xterm-256color") -> tuple[int, str]:
    """Exit status and what a terminal of that width was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(TERM=term)
    )
    os.close(theirs)
    pieces = []
    try:
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    return process.wait(60), b"".join(pieces).decode().replace("\r\n", "\n")


def off(report: DemoReport) -> set[str]:
    """Names of what is off."""
    return {
        *(share.name for share in report.shares if not share.ok),
        *(each.user for each in report.explained if not each.ok),
        *(step.name for step in report.steps if not step.ok),
        *(count.name for count in report.events if not count.ok),
    }


def test_piped_it_is_plain_text_with_all_figures() -> None:
    # Whoever forces colours for other programs still gets no escapes into a file.
    answer = run(FORCE_COLOR="1")
    assert (answer.returncode, answer.stderr) == (0, "")
    text = answer.stdout
    assert text.isascii()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert all(line == line.rstrip() for line in text.splitlines())
    assert re.search(
        r"^  test_fastly +(4[89]|5[01])\.\d\d% +50\.00% +47\.55% to 52\.45%  ok$", text, re.MULTILINE
    )
    assert re.search(
        r"^  button_color: Green +3[1-5]\.\d\d% +33\.30% +30\.99% to 35\.61%  ok$", text, re.MULTILINE
    )
    assert "4.9 standard errors" in text
    assert re.search(r"^  user-2, in France +pricing\.currency +EUR +EUR +ok$", text, re.MULTILINE)
    assert re.search(r"^  user-1, in a group +\w{22} +Test +holiday_holdout=false +ok$", text, re.MULTILINE)
    assert re.search(r"^  user-12, held out +\w{22} +- +holiday_holdout=true +ok$", text, re.MULTILINE)
    assert re.search(r"^  user-17, no rule +default +- +holiday_holdout=false +ok$", text, re.MULTILINE)
    assert "Adapter(FastlyKV):Recognized" in text
    assert re.search(r"^  sync, nothing new +HEAD +0  no +ok$", text, re.MULTILINE)
    assert re.search(r"^  sync, something new +HEAD, GET +235,\d{3}  yes +ok$", text, re.MULTILINE)
    sent = re.search(r"^  sent, says the client +(\d+,\d{3}) +\1  ok$", text, re.MULTILINE)
    assert sent is not None
    assert re.search(rf"^  got by the collector +{sent[1]} +{sent[1]}  ok$", text, re.MULTILINE)
    assert re.search(r"^  users exposed to test_fastly +10,000 +10,000  ok$", text, re.MULTILINE)
    assert re.search(r"^  the same StatsigUser each time +\d+$", text, re.MULTILINE)
    assert text.endswith("\nAll 17 expectations are met.\n")


def test_only_the_timings_differ_from_run_to_run() -> None:
    def without_timings(text: str) -> str:
        return re.sub(r"^  (with|the same|a new) .*$", "", text, flags=re.MULTILINE)

    first, second = run().stdout, run().stdout
    assert "Shares of 10,000 users (seed 2024)" in first
    assert without_timings(first) == without_timings(second)


def test_json_has_every_figure_and_an_ok_for_each() -> None:
    answer = run("--json", "--users", "2500", "--seed", "-7")
    assert (answer.returncode, answer.stderr) == (0, "")
    found = json.loads(answer.stdout)
    assert found["ok"] is True
    assert (found["users"], found["seed"]) == (2500, -7)
    assert [share["name"] for share in found["shares"]] == [*SHARES, AFTER]
    assert found["shares"][0]["low"] == pytest.approx(0.5 - 4.9 * 0.01)
    assert [each["user"] for each in found["explained"]] == list(PEOPLE)
    assert [step["name"] for step in found["steps"]] == list(STEPS)
    assert [count["name"] for count in found["events"]] == [SENT, GOT, EXPOSED]
    figures = [*found["shares"], *found["explained"], *found["steps"], *found["events"]]
    assert [figure["ok"] for figure in figures] == [True] * 17
    assert len({json.dumps(each["got"]) for each in found["explained"]}) == 4
    assert all(timing["ns_per_check"] > 0 for timing in found["timings"])
    assert [timing["checks_per_round"] for timing in found["timings"]] == [1000, 1000]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal_it_is_drawn_in_the_width_there_is(columns: int) -> None:
    status, output = run_in_terminal(columns, "--users", "1000")
    assert status == 0
    assert "\x1b[32mok" in output
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= columns
    assert "All 17 expectations are met." in plain
    if columns >= 80:
        assert "test_fastly, after the change   100.00%" in plain
        assert "N4glGLRXlS58Cxri67Gxfx  Test   holiday_holdout=false  ok" in plain


def test_a_terminal_that_can_do_nothing_gets_plain_text() -> None:
    status, output = run_in_terminal(80, "--users", "1000", term="dumb")
    assert status == 0
    assert output.isascii()
    assert "\x1b" not in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--users", "99"],
        ["--users", "1000001"],
        ["--users", "many"],
        ["--seed", "1.5"],
        ["--colour"],
        ["now"],
    ],
)
def test_a_bad_command_line_is_status_2(arguments: list[str]) -> None:
    answer = CliRunner().invoke(build_app(), ["demo", *arguments])
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert arguments[-1] in answer.stderr or arguments[0] in answer.stderr


def test_the_official_core_gives_the_four_users_the_same() -> None:
    french = {"userID": "user-2", "country": "FR", "appVersion": "3.1.4"}
    with Reference(json.dumps(sample_project())) as reference:
        answers = [reference.check("config", PRICING_CONFIG, french)]
        answers += [reference.check("layer", CHECKOUT_LAYER, {"userID": user}) for user in CHECKOUT]
    for each, answer, parameter in zip(
        collect(FEW).explained, answers, ("currency", "steps", "steps", "steps"), strict=True
    ):
        assert isinstance(answer.value, dict)
        exposures = tuple(f"{gate}={value}" for gate, value, _ in answer.secondary_exposures)
        assert (each.got.value, each.got.rule_id) == (answer.value[parameter], answer.rule_id)
        assert (each.got.group, each.got.secondary_exposures) == (answer.group_name, exposures)


def test_a_band_is_4_9_standard_errors_wide() -> None:
    # The standard error of a half among 10,000 is 0.005.
    share = Share.of("half", 5245, 10_000, 0.5)
    assert (share.low, share.high) == pytest.approx((0.4755, 0.5245))
    assert Share.of("half", 5244, 10_000, 0.5).ok
    assert not Share.of("half", 5246, 10_000, 0.5).ok
    assert not Share.of("half", 4754, 10_000, 0.5).ok
    assert not Share.of("everyone", 9_999, 10_000, 1.0).ok


def full_gate(project: dict[str, Any]) -> None:
    project["feature_gates"][TEST_GATE]["rules"][0]["passPercentage"] = 100


def nearly_half_gate(project: dict[str, Any]) -> None:
    project["feature_gates"][TEST_GATE]["rules"][0]["passPercentage"] = 40


def no_first_group(project: dict[str, Any]) -> None:
    del project["dynamic_configs"][BUTTON_EXPERIMENT]["rules"][0]


def no_last_group(project: dict[str, Any]) -> None:
    del project["dynamic_configs"][BUTTON_EXPERIMENT]["rules"][2]


def other_currency(project: dict[str, Any]) -> None:
    project["dynamic_configs"][PRICING_CONFIG]["rules"][1]["returnValue"]["currency"] = "CHF"


def other_rule_id(project: dict[str, Any]) -> None:
    project["dynamic_configs"][PRICING_CONFIG]["rules"][1]["id"] = "another"


def nobody_held_out(project: dict[str, Any]) -> None:
    project["feature_gates"][HOLDOUT]["rules"][0]["passPercentage"] = 0


def layer_without_rules(project: dict[str, Any]) -> None:
    project["layer_configs"][CHECKOUT_LAYER]["rules"] = []


def from_the_future(project: dict[str, Any]) -> None:
    project["time"] += 3_600_000


def not_a_project(project: dict[str, Any]) -> None:
    project.clear()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (full_gate, {TEST_GATE}),
        (nearly_half_gate, {TEST_GATE}),
        (no_first_group, {"button_color: Control", "button_color: Blue"}),
        (no_last_group, {"button_color: Green"}),
        (other_currency, {"user-2"}),
        (other_rule_id, {"user-2"}),
        (nobody_held_out, {"user-12"}),
        (layer_without_rules, set(CHECKOUT)),
        (from_the_future, {"sync, something new", AFTER}),
        # With nothing in hand the first sync downloads again.
        # What was refused twice is known, so the last look is as it should be.
        (not_a_project, {*SHARES, *PEOPLE, "start", "sync, nothing new"}),
    ],
)
def test_another_project_than_expected_is_noticed(
    damage: Callable[[dict[str, Any]], None], expected: set[str]
) -> None:
    project = sample_project()
    damage(project)
    report = collect(10_000 if damage is nearly_half_gate else FEW, project=project)
    assert off(report) == expected
    assert report.to_dict()["ok"] is False


def asked_before() -> Emulator:
    with Emulator() as emulator, Api(emulator) as client:
        client.json("GET", KV)
    return emulator


def failing(fault: Fault) -> Emulator:
    emulator = Emulator()
    emulator.fault(fault)
    return emulator


@pytest.mark.parametrize(
    ("emulator", "expected"),
    [
        (asked_before, {"publish"}),
        (lambda: Emulator(head_supported=False), {"sync, nothing new", "sync, something new"}),
        (lambda: failing(Fault(method="HEAD", status=503)), {"sync, nothing new"}),
        # Skipped are the two GETs of the start.
        (
            lambda: failing(Fault(method="GET", skip=2, truncate=1000)),
            {"sync, something new", AFTER},
        ),
        (
            lambda: failing(Fault(method="GET", path="/keys/", stale=True, skip=1)),
            {"sync, something new", AFTER},
        ),
    ],
    ids=["asked before", "no HEAD", "503", "truncated", "stale"],
)
def test_other_traffic_than_expected_is_noticed(emulator: Callable[[], Emulator], expected: set[str]) -> None:
    report = collect(FEW, emulator=emulator())
    assert off(report) == expected


def test_every_user_is_exposed_once() -> None:
    report = collect(FEW)
    passed = next(share for share in report.shares if share.name == TEST_GATE).measured * FEW
    # The gate, the experiment, the gate again for those who did not pass before, and four people.
    assert report.events[0].got == FEW + FEW + (FEW - passed) + 4


def test_more_users_than_the_collector_is_to_keep() -> None:
    report = collect(12_000)
    assert off(report) == set()
    assert report.events[2].got == 10_000


TAKEN = b'{"success":true}'


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(path="/log_event", status=503), set()),
        (Fault(path="/log_event", status=400, times=None), {SENT, EXPOSED}),
        (Fault(path="/log_event", status=202, body=TAKEN, times=None), {GOT, EXPOSED}),
        (Fault(path="/log_event", status=503, after=True), {GOT}),
    ],
    ids=["one retry", "refused", "thrown away", "taken twice"],
)
def test_other_events_than_sent_are_noticed(fault: Fault, expected: set[str]) -> None:
    assert off(collect(FEW, emulator=failing(fault))) == expected


def test_what_went_wrong_is_part_of_the_failure() -> None:
    report = collect(FEW, emulator=failing(Fault(method="HEAD", status=503)))
    (failure,) = report.failures
    assert failure.startswith(
        "sync, nothing new: expected HEAD, 0 bytes of config specs, no new ruleset, got "
    )
    assert "503" in failure


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_is_off_is_one_line_each_and_status_1(
    monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    project = sample_project()
    full_gate(project)
    other_currency(project)
    monkeypatch.setattr(demo_run, "collect", functools.partial(collect, project=project))
    answer = CliRunner().invoke(build_app(), ["demo", "--users", "1000", *options])
    assert answer.exit_code == 1
    gate, user = answer.stderr.splitlines()
    assert gate == ("statsig-fastly demo: test_fastly: expected 42.25% to 57.75% of the users, got 100.00%")
    assert user == ("statsig-fastly demo: pricing.currency for user-2: value: expected 'EUR', got 'CHF'")
    if options:
        assert json.loads(answer.stdout)["ok"] is False
    else:
        assert "\n2 of 17 expectations are off.\n" in answer.stdout
        assert answer.stdout.count("OFF") == 3  # the user is in two tables


def test_publishing_that_fails_is_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = failing(Fault(method="PUT", status=503))
    monkeypatch.setattr(demo_run, "collect", functools.partial(collect, emulator=emulator))
    answer = CliRunner().invoke(build_app(), ["demo"])
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert re.fullmatch(
        r"statsig-fastly demo: publishing: PUT /resources/stores/kv/\w{22}/keys/statsig-demo gave HTTP 503\n",
        answer.stderr,
    )


def test_no_token_is_shown() -> None:
    emulator = Emulator(tokens=("a-token-of-this-test",))
    emulator.fault(Fault(method="HEAD", status=401))
    report = collect(FEW, emulator=emulator)
    assert report.failures
    assert "a-token-of-this-test" not in json.dumps(report.to_dict()) + repr(report)
    emulator = Emulator(tokens=("a-token-of-this-test",))
    emulator.fault(Fault(method="POST", status=401))
    with pytest.raises(StatsigFastlyError) as caught:
        collect(FEW, emulator=emulator)
    assert "a-token-of-this-test" not in str(caught.value)


def test_nothing_is_left_running() -> None:
    before = set(threading.enumerate())
    collect(FEW)
    left = set(threading.enumerate()) - before
    for thread in left:  # one that has done its work may not have ended yet
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]
