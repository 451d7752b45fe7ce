"""`statsig-fastly check`: what one user gets."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

__all__ = ["check", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("check")(check)


def check(
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
    """Tell what a user gets. Nothing is logged to Statsig.

    Example: statsig-fastly check '{"userID": "u-42"}' new_search --from kv:my-store/statsig-1a2b

    Ends with 0, also where a gate is closed; 1 if there is no such name; 2 if the command line is wrong.
    """
    from statsig_fastly.publish.answering import explained
    from statsig_fastly.publish.places import Place, read_id_lists, read_payload

    with ending("check", as_json=as_json):
        asking = arguments.user(user)
        access = arguments.access(
            api, token_env, sdk_key_env, specs_url, specs_format, id_lists_url=id_lists_url
        )
        place = Place.parse(source, "--from")
        lists = read_id_lists(place, access) if id_lists else None
        payload = read_payload(place, access)
        found = explained(payload, asking, name, kind, environment=environment, lists=lists)
        answer = found.check
        if as_json:
            showing.print_json(
                {
                    "kind": answer.kind,
                    "name": answer.name,
                    "value": answer.value,
                    "rule_id": answer.rule_id,
                    "group_name": answer.group_name,
                    "reason": found.details.reason,
                }
            )
            return
        value = json.dumps(answer.value, ensure_ascii=False)
        group = f", group {answer.group_name!r}" if answer.group_name is not None else ""
        showing.line(f"{answer.kind} {answer.name}: {value} (rule {answer.rule_id!r}{group})")
