"""Web servers in processes of their own, which listen on a socket of the test's."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from programs import PATIENCE, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Server", "serving"]


class Server:
    """A server that runs.

    Attributes:
        process: Its first process.
        port: Where it is asked.
    """

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def ask(self, path: str) -> Any:  # noqa: ANN401 - whatever the application answers
        """What it answers to a GET on a new connection, read as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (response.status, body)
            return json.loads(body)
        finally:
            connection.close()

    def end(self) -> int:
        """Has it end with SIGTERM, and returns its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def serving(directory: Path, events_to: str, *command: str, **more: str) -> Iterator[Server]:
    """Runs `python -m <command>` in a directory.

    Args:
        directory: Where its application is.
        events_to: URL of the collector of its events.
        command: With `{fd}` for the number of the listening socket.
        more: Further environment variables.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        fd = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", *(word.format(fd=fd) for word in command)],
            cwd=directory,
            env={**environment(events_to), **more},
            pass_fds=[fd],
            text=True,
        )
        try:
            yield Server(process, listening.getsockname()[1])
        finally:
            process.kill()
            process.wait(PATIENCE)
