"""`statsig-fastly diff`: what changed between two payloads, and for how many users."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

if TYPE_CHECKING:
    from statsig_fastly.publish.flips import Flips
    from statsig_fastly.publish.spec_changes import Changes

__all__ = ["diff", "register"]

_DIFFERENT = 4
_SHOWN = 25


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("diff")(diff)


def diff(
    old: Annotated[str, typer.Argument(help="The payload in use: a file, or a place as for publish --from.")],
    new: Annotated[str, typer.Argument(help="The one that may take its place.")],
    *,
    users_file: arguments.UsersFile = None,
    sample: arguments.Sample = 10_000,
    seed: arguments.Seed = 2024,
    environment: Annotated[str | None, typer.Option(help="Tier to check with, such as staging.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the flips into a file.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 4 if anything changed.")] = False,
    id_lists: arguments.WithIdLists = False,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    sdk_key_env: arguments.SdkKeyEnv = "STATSIG_SDK_KEY",
    specs_url: arguments.SpecsUrl = None,
    specs_format: arguments.SpecsFormat = "v1",
    id_lists_url: arguments.IdListsUrl = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Tell what changed, by name and in words, and how many users would get another answer.

    Example: statsig-fastly diff kv:my-store/statsig-1a2b new.json --users users.csv --plot flips.svg

    Ends with 0, with 1 if a payload could not be read, with 2 if the command line is wrong, and with 4 for
    --exit-code and any change.
    """
    from statsig_fastly.publish.comparison import compare
    from statsig_fastly.publish.picture import flips_svg
    from statsig_fastly.publish.places import Place, has_id_lists, read_id_lists, read_payload

    with ending("diff", as_json=as_json):
        access = arguments.access(
            api, token_env, sdk_key_env, specs_url, specs_format, id_lists_url=id_lists_url
        )
        users = arguments.users(users_file)
        places = [Place.parse(text, option) for text, option in ((old, "OLD"), (new, "NEW"))]
        old_lists = new_lists = None
        if id_lists:
            # A file has none: it goes with those of the other.
            listed = [place for place in places if has_id_lists(place)] or places
            old_lists = read_id_lists(listed[0], access)
            new_lists = old_lists if len(listed) == 1 else read_id_lists(listed[1], access)
        before, after = (read_payload(place, access) for place in places)
        with showing.progress() as progress:
            found = compare(
                before,
                after,
                users,
                sample=sample,
                seed=seed,
                environment=environment,
                old_lists=old_lists,
                new_lists=new_lists,
                progress=progress,
            )
        if plot is not None:
            arguments.written("--plot", plot, flips_svg(found.flips).encode())
        if as_json:
            showing.print_json(found.to_dict())
        else:
            _show_changes(found.changes)
            _show_flips(found.flips)
        if exit_code and found.changes:
            raise typer.Exit(_DIFFERENT)


def _show_changes(changes: Changes) -> None:
    before, after = showing.when(changes.old_time), showing.when(changes.new_time)
    if not changes:
        showing.line(f"Nothing changed ({before} -> {after}).")
        return
    showing.line(f"What changed ({before} -> {after})", style="bold cyan")
    for change in (*changes.specs, *changes.settings):
        showing.line(f"  {change}", style="bold yellow" if change.reshuffles else "")


def _show_flips(flips: Flips) -> None:
    showing.line()
    share = f"{flips.any_flip:,} of {flips.users:,} users ({flips.any_flip / flips.users:.2%})"
    showing.line(f"{share} get another answer", style="bold cyan")
    if not flips.specs:
        return
    rows = []
    for spec in flips.specs[:_SHOWN]:
        new = "  (new)" if spec.how == "added" else ""
        said = f"{spec.flipped:>7,}  {spec.share:7.2%}  {_move(spec.moves)}{new}"
        rows.append((f"{spec.kind} {spec.name}", spec.share, said))
    showing.bars(rows)
    if len(flips.specs) > _SHOWN:
        showing.line(f"and {len(flips.specs) - _SHOWN} more; --json lists all")


def _move(moves: tuple[tuple[str, str, int], ...]) -> str:
    before, after, _ = moves[0]
    return f"{before} -> {after}" + (f" and {len(moves) - 1} more" if len(moves) > 1 else "")
