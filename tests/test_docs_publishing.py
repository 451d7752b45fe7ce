"""Every command and every example of docs/publishing.md, in their order, against the emulator."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import urllib3

from cdn_server import CdnServer
from cli_runs import COMMAND
from statsig_fastly import FastlyDataAdapter
from statsig_fastly.sample_project import sample_project, to_v1

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "publishing.md"
BLOCK: Final = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY: Final = "statsig-1a2b"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are for a POSIX shell")


class Shell:
    """Runs the blocks of the page one after the other, as somebody would who follows it."""

    def __init__(self, directory: Path, cdn: CdnServer) -> None:
        self._directory = directory
        program = directory / "bin" / "statsig-fastly"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {" ".join(map(_quoted, COMMAND))} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.exports: list[str] = []
        self.background: list[subprocess.Popen[str]] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FASTLY_")},
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "STATSIG_SDK_KEY": "secret-of-a-test",
            "STATSIG_SPECS_URL": cdn.specs_url,
        }

    def run(self, block: str) -> str:
        """Runs a block to its end, and returns what it printed."""
        script = "\n".join([*self.exports, "set -e", block])
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment,
            cwd=self._directory,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, block: str) -> tuple[subprocess.Popen[str], str]:
        """Starts a block that goes on, and returns it with its first line of output."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", "\n".join([*self.exports, f"exec {block}"])],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            cwd=self._directory,
        )
        self.background.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline()


def _quoted(text: str) -> str:
    return f"'{text}'"


@pytest.fixture
def cdn() -> Iterator[CdnServer]:
    with CdnServer(project()) as running:
        yield running


@pytest.fixture
def shell(tmp_path: Path, cdn: CdnServer) -> Iterator[Shell]:
    running = Shell(tmp_path, cdn)
    yield running
    for process in running.background:
        process.kill()
        process.communicate()


def test_the_page_does_what_it_says(shell: Shell, cdn: CdnServer, tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    printed = {}
    for language, text in blocks:
        block = text.strip()
        if language == "python":
            url = shell.exports[0].partition("=")[2]
            (tmp_path / "example.py").write_text(block.replace("http://127.0.0.1:7878", url))
            printed[block] = shell.run(f"'{sys.executable}' example.py")
        elif block.startswith("statsig-fastly emulator"):
            _, line = shell.start(block.replace("--port 7878", "--port 0"))
            url = line.split()[-1]
        elif block.startswith("export"):
            shell.exports += block.replace("http://127.0.0.1:7878", url).splitlines()
        elif "--watch" in block:
            watch_until_a_change_is_there(shell, cdn, block, url)
        else:
            printed[block] = shell.run(block)

    everything = "".join(printed.values())
    assert "gate test_fastly: " in everything
    assert "gate 'test_fastly' is " in everything
    assert "percentage 51 -> 52" in everything
    assert "would publish" in everything
    assert "in use" in everything
    assert (tmp_path / "flips.svg").read_text().startswith("<svg")
    assert (tmp_path / "fastly.toml").exists()
    assert list(printed.values())[-1] in {"published\n", "unchanged\n"}


def watch_until_a_change_is_there(shell: Shell, cdn: CdnServer, block: str, url: str) -> None:
    """Runs the watch, changes the project, waits for the change to be in the store, and ends the watch."""
    block = block.replace("--health-port 8080", "--health-port 0").replace(
        "--interval 10s", "--interval 100ms"
    )
    process, line = shell.start(block)
    health = line.split()[-1]
    assert process.stdout is not None
    assert "unchanged" in process.stdout.readline()
    cdn.payload = project(percentage=51)
    assert "published" in process.stdout.readline()
    assert urllib3.request("GET", health, retries=False).status == 200
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")
    adapter = FastlyDataAdapter("my-store", KEY, token="emulator-token", api=url)
    found = adapter.fetch()
    adapter.close()
    assert found is not None
    assert found.body == cdn.payload
    cdn.payload = project(percentage=52)  # for what comes next on the page


def project(percentage: int = 50) -> bytes:
    """The sample project in the format that the CDN has, newer with every percent that a gate lets in."""
    changed = sample_project()
    changed["time"] += percentage - 50
    changed["checksum"] = str(percentage)
    changed["feature_gates"]["test_fastly"]["rules"][0]["passPercentage"] = percentage
    return json.dumps(to_v1(changed)).encode()


def test_every_command_is_on_the_page() -> None:
    import typer.main

    from statsig_fastly.cli.app import build_app

    commands = set(typer.main.get_command(build_app()).commands) - {"demo"}  # type: ignore[attr-defined]
    run = {
        line.split()[1]
        for language, block in BLOCK.findall(PAGE.read_text("utf-8"))
        if language == "sh"
        for line in block.splitlines()
        if line.startswith("statsig-fastly ")
    }
    assert run == commands
