"""`statsig-fastly explain`: why one user gets what they get."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

__all__ = ["explain", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("explain")(explain)


def explain(
    user: Annotated[str, typer.Argument(help="A user id, a JSON object, or @FILE with one.")],
    name: Annotated[str, typer.Argument(help="Name of a gate, config, experiment or layer.")],
    *,
    source: Annotated[
        str, typer.Option("--from", metavar="SOURCE", help="A file, or a place as for publish --from.")
    ],
    kind: Annotated[
        Literal["gate", "config", "experiment", "layer"] | None,
        typer.Option(help="What it is asked for as; found out by default."),
    ] = None,
    environment: Annotated[str | None, typer.Option(help="Tier to check with, such as staging.")] = None,
    id_lists: arguments.WithIdLists = False,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    sdk_key_env: arguments.SdkKeyEnv = "STATSIG_SDK_KEY",
    specs_url: arguments.SpecsUrl = None,
    specs_format: arguments.SpecsFormat = "v1",
    id_lists_url: arguments.IdListsUrl = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Show the decision tree: every rule and condition with the value met, the bucket, and what decided.

    Example: statsig-fastly explain u-42 new_search --from kv:my-store/statsig-1a2b

    Ends with 0, 1 if there is nothing of the name, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.answering import explained
    from statsig_fastly.publish.places import Place, read_id_lists, read_payload

    with ending("explain", as_json=as_json):
        asking = arguments.user(user)
        access = arguments.access(
            api, token_env, sdk_key_env, specs_url, specs_format, id_lists_url=id_lists_url
        )
        place = Place.parse(source, "--from")
        lists = read_id_lists(place, access) if id_lists else None
        payload = read_payload(place, access)
        found = explained(payload, asking, name, kind, environment=environment, lists=lists)
        if as_json:
            showing.print_json(found.to_dict())
            return
        first, *rest = str(found).splitlines()
        showing.line(first, style="bold cyan")
        for text in rest:
            style = "green" if text.endswith(": yes") else "dim" if text.endswith(": no") else ""
            showing.line(text, style=style)
