from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statsig_fastly.emulator import Emulator

KV = "/resources/stores/kv"
DUMMY = "emulator-token"
COMMAND = [sys.executable, "-m", "statsig_fastly.cli"]


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "FASTLY_API_TOKEN"}
    return {**kept, **more}


@contextlib.contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The `emulator` command and its first line of output; it is killed if the test does not end it."""
    process = subprocess.Popen(
        [*COMMAND, "emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(**environment),
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Waits for the end, and returns what is left on stdout and stderr."""
    process.wait(timeout=10)
    assert process.stdout is not None
    assert process.stderr is not None
    # Not `communicate`: it passes over the lines that `readline` has read ahead.
    return process.stdout.read(), process.stderr.read()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False, env=_environment()
    )


def get(url: str, token: str = DUMMY, method: str = "GET") -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request(method, url, headers={"Fastly-Key": token})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "spec.json"
    file.write_bytes(b'{"time": 1}')
    with running("--kv", f"specs/statsig-1={file}", "--config", "cfg") as (process, line):
        found = re.fullmatch(r"Fastly emulator listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found
        url = found[1]
        (store,) = get(f"{url}{KV}?name=specs").json()["data"]
        assert get(f"{url}{KV}/{store['id']}/keys/statsig-1").data == b'{"time": 1}'
        process.send_signal(number)
        output, errors = ended(process)
    assert process.returncode == 0
    assert errors == ""
    assert f'FastlyDataAdapter("specs", "statsig-1", api="{url}")' in output
    assert "FASTLY_API_TOKEN=emulator-token" in output
    assert f"KV Store specs (id {store['id']}): statsig-1" in output
    assert re.search(r"Config Store cfg \(id \w{22}\): empty", output)


def test_json_describes_what_is_served(tmp_path: Path) -> None:
    entries = tmp_path / "entries.json"
    entries.write_text('{"b": "2", "a": "1"}')
    manifest = tmp_path / "fastly.toml"
    manifest.write_text('[local_server.kv_stores]\nspecs = [{ key = "k=v", data = "x" }]\n')
    arguments = ["--json", "--fastly-toml", str(manifest), "--config", f"cfg={entries}"]
    with running(*arguments) as (process, line):
        found = json.loads(line)
        assert get(f"{found['url']}{KV}").status == 200
        process.terminate()
        output, errors = ended(process)
    assert (process.returncode, output, errors) == (0, "", "")
    assert found["kv_stores"]["specs"]["keys"] == ["k=v"]
    assert found["config_stores"]["cfg"]["keys"] == ["a", "b"]


def test_tokens_come_from_options_or_the_environment_and_are_not_shown() -> None:
    with running("--read-only-token", "reader-1", FASTLY_API_TOKEN="from-the-environment") as (process, line):
        url = line.split()[-1] + KV
        assert get(url, "from-the-environment").status == 200
        assert get(url, "emulator-token").status == 401
        assert get(url, "reader-1").status == 200
        assert get(url, "reader-1", "POST").status == 403
        process.terminate()
        output, errors = ended(process)
    assert "from-the-environment" not in line + output + errors
    assert "reader-1" not in line + output + errors


def test_a_directory_keeps_the_stores(tmp_path: Path) -> None:
    file = tmp_path / "v"
    file.write_bytes(b"v")
    with running("--directory", str(tmp_path / "stores"), "--kv", f"specs/k={file}", "--json") as (_, first):
        pass
    with running("--directory", str(tmp_path / "stores"), "--json") as (_, second):
        pass
    assert json.loads(second)["kv_stores"] == json.loads(first)["kv_stores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kv", "specs"], "--kv: expected STORE/KEY=FILE, got 'specs'"),
        (["--kv", "specs/k"], "--kv: expected STORE/KEY=FILE"),
        (["--kv", "specs/=file"], "--kv: expected STORE/KEY=FILE"),
        (["--kv", "specs/a|b={tmp}/value"], "key: character '|' is not allowed"),
        (["--kv", "1specs/a={tmp}/value"], "store name: expected a letter first"),
        (["--kv", "specs/k={tmp}/absent"], "cannot read {tmp}/absent: No such file"),
        (["--kv", "specs/k={tmp}"], "cannot read {tmp}: Is a directory"),
        (["--config", "=x"], "--config: expected STORE or STORE=FILE"),
        (["--config", "cfg={tmp}/value"], "value is not JSON"),
        (["--config", "cfg={tmp}/list.json"], "expected a JSON object whose values are strings"),
        (["--fastly-toml", "{tmp}/absent.toml"], "{tmp}/absent.toml"),
        (["--directory", "{tmp}/value"], "{tmp}/value"),
        (["--token", ""], "tokens: expected at least one"),
        (["--host", "256.256.256.256"], "cannot listen on 256.256.256.256 port 0"),
    ],
)
def test_a_bad_command_line_is_one_line_and_status_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "value").write_bytes(b"\xff not json")
    (tmp_path / "list.json").write_text("[]")
    answer = run("emulator", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("statsig-fastly emulator: ")
    assert message.replace("{tmp}", str(tmp_path)) in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_taken_port_is_one_line_and_status_2(emulator: Emulator) -> None:
    answer = run("emulator", "--port", str(emulator.port))
    assert answer.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {emulator.port}: " in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_version_and_help() -> None:
    version = run("--version")
    assert version.returncode == 0
    assert re.match(r"statsig-fastly \S+", version.stdout)
    listed = run("--help")
    assert listed.returncode == 0
    assert "emulator" in listed.stdout
    assert run("nonsense").returncode == 2


@pytest.mark.parametrize("missing", ["typer", "rich", "aiohttp"])
def test_without_the_extra_it_says_how_to_get_it(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from statsig_fastly.cli import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", code, "emulator"], capture_output=True, text=True, timeout=30, check=False
    )
    assert answer.returncode == 2
    assert answer.stderr == f"statsig-fastly: {missing} is missing: pip install 'statsig-fastly[cli]'\n"
