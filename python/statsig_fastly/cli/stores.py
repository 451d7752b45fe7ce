"""`statsig-fastly stores`: the stores that a token sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

if TYPE_CHECKING:
    import typer

__all__ = ["register", "stores"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("stores")(stores)


def stores(
    *,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    as_json: arguments.AsJson = False,
) -> None:
    """List the KV Stores and Config Stores that this token sees.

    Example: statsig-fastly stores

    Ends with 0, 1 if the API failed, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.listing import list_stores
    from statsig_fastly.publish.places import Access

    with ending("stores"):
        found = list_stores(Access(api, token_env))
        if as_json:
            showing.print_json([store.to_dict() for store in found])
        elif not found:
            showing.line("This token sees no stores.")
        else:
            rows = [(store.kind, store.name, store.id, store.created_at) for store in found]
            showing.table(("kind", "name", "id", "created"), rows)
