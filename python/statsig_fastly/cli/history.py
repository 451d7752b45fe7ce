"""`statsig-fastly history`: the published versions that are kept."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

__all__ = ["history", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("history")(history)


def history(
    target: Annotated[str, typer.Argument(metavar="PLACE", help="kv:STORE/KEY or config:STORE/KEY.")],
    *,
    directory: Annotated[
        Path | None, typer.Option("--history", help="The directory that publish --history named.")
    ] = None,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    as_json: arguments.AsJson = False,
) -> None:
    """List the published versions that are kept, the last one first.

    Example: statsig-fastly history kv:my-store/statsig-1a2b

    Ends with 0, 1 if the store failed, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.jobs import open_publisher
    from statsig_fastly.publish.options import PublishOptions
    from statsig_fastly.publish.places import Access, Place

    with ending("history", as_json=as_json):
        place = Place.parse(target, "PLACE", target=True)
        kept = arguments.directory("--history", directory, is_there=True)
        with open_publisher(place, Access(api, token_env), PublishOptions(), kept) as publisher:
            stored = publisher.look()
            versions = publisher.versions.all()
        in_use = publisher.versions.in_use(stored, versions)
        if as_json:
            told = [{**version.to_dict(), "in_use": version is in_use} for version in versions]
            showing.print_json(told)
            return
        if not versions:
            showing.line(f"No versions are kept of {publisher.place}.")
            return
        rows = [
            (
                version.id,
                showing.when(version.metadata.published_at),
                showing.when(version.metadata.time),
                f"{version.metadata.size:,}",
                version.metadata.encoding,
                version.metadata.app or "-",
                "in use" if version is in_use else "",
            )
            for version in versions
        ]
        showing.table(
            ("version", "published", "project changed", "bytes", "form", "app", ""), rows, right=(3,)
        )
