"""The command line as a whole: what holds for every command, and the list of commands.

Each command has a module in this package with a function `register(app)`.
"""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import rich  # noqa: F401 - a half-installed extra is to show at once, not in the middle of a command
import typer

from statsig_fastly.cli import demo, emulator

__all__ = ["build_app"]

_DISTRIBUTION = "statsig-fastly"


def build_app() -> typer.Typer:
    """Builds the application with all its commands."""
    app = typer.Typer(
        name=_DISTRIBUTION, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(root)
    demo.register(app)
    emulator.register(app)
    return app


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
    """Statsig config specs out of a Fastly KV Store."""


def _version() -> str:
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "(not installed)"
