"""`statsig-fastly stores`: the stores that a token sees."""

from __future__ import annotations

from typing import Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

__all__ = ["register", "stores"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("stores")(stores)


def stores(
    *,
    create: Annotated[
        str | None, typer.Option(metavar="kv:NAME", help="Make a store first: kv:NAME or config:NAME.")
    ] = None,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    as_json: arguments.AsJson = False,
) -> None:
    """List the KV Stores and Config Stores that this token sees.

    Example: statsig-fastly stores

    Ends with 0, 1 if the API failed, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.listing import create_store, list_stores
    from statsig_fastly.publish.places import Access, Place

    with ending("stores", as_json=as_json):
        access = Access(api, token_env)
        if create is not None:
            create_store(Place.parse_store(create, "--create", "NAME"), access)
        found = list_stores(access)
        if as_json:
            showing.print_json([store.to_dict() for store in found])
        elif not found:
            showing.line("This token sees no stores.")
        else:
            rows = [(store.kind, store.name, store.id, store.created_at) for store in found]
            showing.table(("kind", "name", "id", "created"), rows)
