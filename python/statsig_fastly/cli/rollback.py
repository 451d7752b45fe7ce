"""`statsig-fastly rollback`: puts a version back that is kept."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending
from statsig_fastly.cli.publish import show_report

__all__ = ["register", "rollback"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("rollback")(rollback)


def rollback(
    target: Annotated[str, typer.Argument(metavar="PLACE", help="kv:STORE/KEY or config:STORE/KEY.")],
    version: Annotated[
        str | None,
        typer.Argument(help="Id of the version, or its start; the one before the current by default."),
    ] = None,
    *,
    restamp: Annotated[
        bool,
        typer.Option(
            "--restamp",
            help="Give it a newer time, so that running SDKs take it as well; not byte for byte then.",
        ),
    ] = False,
    max_flips: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Refuse if more users, such as 2%, would get another answer."),
    ] = None,
    users_file: arguments.UsersFile = None,
    sample: arguments.Sample = 10_000,
    seed: arguments.Seed = 2024,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all but write.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--history", help="The directory that publish --history named.")
    ] = None,
    largest: arguments.Largest = 25_000_000,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    as_json: arguments.AsJson = False,
) -> None:
    """Put a version back. What was there is not published over it again, but for something newer.

    SDKs that are running keep the newer payload they have until they restart; --restamp has them take it.

    Example: statsig-fastly rollback kv:my-store/statsig-1a2b 0f3a

    Ends with 0, 1 if something failed, 2 if the command line is wrong, and 3 if a guard refused.
    """
    from statsig_fastly.publish.jobs import open_publisher
    from statsig_fastly.publish.options import PublishOptions
    from statsig_fastly.publish.places import Access, Place

    with ending("rollback", as_json=as_json):
        place = Place.parse(target, "PLACE", target=True)
        kept = arguments.directory("--history", directory, is_there=True)
        arguments.only_with("--max-flips", max_flips is not None, {"--users": users_file})
        options = PublishOptions(
            max_flips=None if max_flips is None else arguments.share(max_flips, "--max-flips"),
            users=arguments.users(users_file),
            sample=sample,
            seed=seed,
            dry_run=dry_run,
        )
        access = Access(api, token_env, largest=largest)
        with (
            showing.progress() as progress,
            open_publisher(place, access, options, kept, progress=progress) as publisher,
        ):
            report = publisher.roll_back(version, restamp=restamp)
        if as_json:
            showing.print_json(report.to_dict())
        else:
            show_report(report)
