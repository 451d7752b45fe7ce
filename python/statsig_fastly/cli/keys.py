"""`statsig-fastly keys`: what is in a store."""

from __future__ import annotations

from typing import Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

__all__ = ["keys", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("keys")(keys)


def keys(
    store: Annotated[str, typer.Argument(help="kv:STORE or config:STORE, by name or id.")],
    *,
    prefix: Annotated[str, typer.Option(help="Only keys that start like this.")] = "",
    details: Annotated[
        bool, typer.Option("--long", "-l", help="Also when each was written and what is known of it.")
    ] = False,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    as_json: arguments.AsJson = False,
) -> None:
    """List the keys of a store.

    Example: statsig-fastly keys kv:my-store --prefix statsig- --long

    Ends with 0, 1 if the store failed, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.listing import list_keys
    from statsig_fastly.publish.places import Access, Place

    with ending("keys", as_json=as_json):
        place = Place.parse_store(store, "STORE")
        found = list_keys(place, Access(api, token_env), prefix, details=details)
        if as_json:
            showing.print_json([key.to_dict() for key in found])
        elif not details:
            for key in found:
                showing.line(key.key)
        else:
            rows = [
                (
                    key.key,
                    showing.when(None if key.modified_at is None else key.modified_at * 1000),
                    "-" if key.metadata is None else showing.when(key.metadata.time),
                    "-" if key.metadata is None else f"{key.metadata.size:,}",
                    "-" if key.metadata is None else key.metadata.encoding,
                )
                for key in found
            ]
            showing.table(("key", "written", "project changed", "bytes", "form"), rows, right=(3,))
