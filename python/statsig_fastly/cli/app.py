"""The command line as a whole: what holds for every command, and the list of commands.

Each command has a module in this package with a function `register(app)`.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

import rich  # noqa: F401 - a half-installed extra is to show at once, not in the middle of a command
import typer

from statsig_fastly.cli import (
    bench,
    check,
    demo,
    diff,
    emulator,
    explain,
    history,
    inspect,
    keys,
    publish,
    pull,
    rollback,
    stores,
)

__all__ = ["build_app", "run"]

if TYPE_CHECKING:
    from collections.abc import Sequence

_DISTRIBUTION = "statsig-fastly"
_WRONG = 2
_INTERRUPTED = 130


def build_app() -> typer.Typer:
    """Builds the application with all its commands."""
    app = typer.Typer(
        name=_DISTRIBUTION, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(root)
    # In the order in which the help lists them.
    for command in (
        demo,
        emulator,
        publish,
        diff,
        history,
        rollback,
        inspect,
        check,
        explain,
        pull,
        stores,
        keys,
        bench,
    ):
        command.register(app)
    return app


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Runs a command line, and returns the exit status. What is wrong with it is one line on stderr."""
    command = typer.main.get_command(app)
    try:
        status = command.main(list(arguments), prog_name=_DISTRIBUTION, standalone_mode=False)
    except typer.Abort:
        return _INTERRUPTED
    except Exception as error:
        # The classes of these are typer's own in some versions and click's in others.
        said: Any = getattr(error, "format_message", None)
        if said is None:
            raise
        if (text := " ".join(str(said()).split())) and not _is_help(error):
            path = getattr(getattr(error, "ctx", None), "command_path", _DISTRIBUTION)
            sys.stderr.write(f"{path}: {text}\n")
        elif text:
            sys.stdout.write(f"{said()}\n")
        return int(getattr(error, "exit_code", _WRONG))
    return status if isinstance(status, int) else 0


def _is_help(error: Exception) -> bool:
    return type(error).__name__ == "NoArgsIsHelpError"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{_DISTRIBUTION} {_version()}")
        raise typer.Exit


def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Statsig config specs into and out of Fastly stores."""


def _version() -> str:
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "(not installed)"
