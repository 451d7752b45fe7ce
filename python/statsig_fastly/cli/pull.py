"""`statsig-fastly pull`: brings a payload into a file."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

__all__ = ["pull", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("pull")(pull)


def pull(
    source: Annotated[str, typer.Argument(help="cdn, kv:STORE/KEY, config:STORE/KEY, toml:PATH, file:PATH.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file; by default, the payload goes to stdout.")
    ] = None,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    sdk_key_env: arguments.SdkKeyEnv = "STATSIG_SDK_KEY",
    specs_url: arguments.SpecsUrl = None,
    specs_format: arguments.SpecsFormat = "v1",
    as_json: Annotated[
        bool, typer.Option("--json", help="With --out: print one JSON object about the file.")
    ] = False,
) -> None:
    """Write a payload to a file, decompressed and with its chunks joined.

    Example: statsig-fastly pull kv:my-store/statsig-1a2b --out specs.json

    Ends with 0, 1 if it could not be read or written, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.places import Place, read_payload
    from statsig_fastly.publish.validation import validate

    with ending("pull", as_json=as_json):
        if as_json and out is None:
            raise ValueError(
                "--json: expected with --out only, as the payload itself goes to stdout without it"
            )
        access = arguments.access(api, token_env, sdk_key_env, specs_url, specs_format)
        payload = read_payload(Place.parse(source, "SOURCE"), access)
        if out is None:
            sys.stdout.buffer.write(payload)
            sys.stdout.buffer.flush()
            return
        found = validate(payload)
        arguments.written("--out", out, payload)
        if as_json:
            showing.print_json(
                {"file": str(out), "size": len(payload), "digest": found.digest, "time": found.time}
            )
        else:
            showing.line(f"{out}: {len(payload):,} bytes, changed {showing.when(found.time)}")
