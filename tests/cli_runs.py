"""Commands run as users run them: arguments in, exit status and what was written out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statsig_fastly.emulator import Emulator

__all__ = ["COMMAND", "Commands"]

COMMAND: Final = [sys.executable, "-m", "statsig_fastly.cli"]
_OURS: Final = ("FASTLY_API_TOKEN", "FASTLY_API_ENDPOINT", "STATSIG_SDK_KEY")


class Commands:
    """Runs commands against an emulator, in a directory."""

    def __init__(self, emulator: Emulator, directory: Path, **environment: str) -> None:
        self._directory = directory
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        self.environment = {
            **kept,
            "FASTLY_API_TOKEN": emulator.token,
            "FASTLY_API_ENDPOINT": emulator.url,
            **environment,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment,
            cwd=self._directory,
        )

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """As `run`, in this process, which is quicker."""
        from statsig_fastly.cli.app import build_app, run

        # Payloads are written as bytes, so these have a buffer.
        output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self._directory)
            for name in _OURS:
                patch.delenv(name, raising=False)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                ended = run(build_app(), arguments)
        said = []
        for stream in (output, errors):
            stream.seek(0)
            said.append(stream.read())
        return subprocess.CompletedProcess(arguments, ended, *said)

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        """What a command prints with `--json`; fails if it fails or writes to stderr."""
        return _parsed(self.run(*arguments, "--json"))

    def json_here(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        """As `json`, in this process."""
        return _parsed(self.here(*arguments, "--json"))

    def refused(self, *arguments: str, status: int) -> str:
        """The one line on stderr of a command that ends with this status and prints nothing."""
        return _refusal(self.run(*arguments), status)

    def refused_here(self, *arguments: str, status: int) -> str:
        """As `refused`, in this process."""
        return _refusal(self.here(*arguments), status)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command while it runs; it is killed if the test does not end it."""
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self._directory,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _parsed(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - JSON
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return json.loads(done.stdout)


def _refusal(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("statsig-fastly ")
    return done.stderr
