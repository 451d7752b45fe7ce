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

    def json(self, *arguments: str, status: int = 0) -> Any:  # noqa: ANN401 - JSON
        """What a command prints with `--json`; fails if it ends with another status or writes to stderr."""
        done = self.run(*arguments, "--json")
        assert (done.returncode, done.stderr) == (status, "")
        return json.loads(done.stdout)

    def refused(self, *arguments: str, status: int) -> str:
        """The one line on stderr of a command that ends with this status and prints nothing."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("statsig-fastly ")
        return done.stderr

    def refused_here(self, *arguments: str, status: int) -> str:
        """As `refused`, in this process, which is quicker."""
        from statsig_fastly.cli.app import build_app, run

        output, errors = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self._directory)
            for name in _OURS:
                patch.delenv(name, raising=False)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                ended = run(build_app(), arguments)
        assert (ended, output.getvalue()) == (status, ""), errors.getvalue()
        said = errors.getvalue()
        assert said.count("\n") == 1
        assert said.startswith("statsig-fastly ")
        return said

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
