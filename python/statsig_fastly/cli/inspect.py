"""`statsig-fastly inspect`: what is in a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly.publish.inspection import Inspection

__all__ = ["inspect", "register"]

_LISTED = 12


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("inspect")(inspect)


def inspect(
    source: Annotated[str, typer.Argument(help="A file, or a place as for publish --from.")],
    *,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    sdk_key_env: arguments.SdkKeyEnv = "STATSIG_SDK_KEY",
    specs_url: arguments.SpecsUrl = None,
    specs_format: arguments.SpecsFormat = "v1",
    as_json: arguments.AsJson = False,
) -> None:
    """Tell what is in a payload: counts, sizes, the user fields it uses, what is large or will not work.

    Example: statsig-fastly inspect kv:my-store/statsig-1a2b

    Ends with 0, 1 if there is no payload that can be used, and 2 if the command line is wrong.
    """
    from statsig_fastly.publish.inspection import inspect_payload
    from statsig_fastly.publish.places import Place, read_payload

    with ending("inspect", as_json=as_json):
        access = arguments.access(api, token_env, sdk_key_env, specs_url, specs_format)
        place = Place.parse(source, "SOURCE")
        found = inspect_payload(read_payload(place, access))
        if as_json:
            showing.print_json(found.to_dict())
        else:
            _show(found, str(place))


def _show(found: Inspection, place: str) -> None:
    showing.line(place, style="bold cyan")
    packed = ", ".join(f"{size:,} in {how}" for how, size in found.compressed.items())
    showing.line(f"  format       {found.format}, changed {showing.when(found.time)}")
    showing.line(f"  digest       {found.digest}")
    showing.line(f"  size         {found.size:,} bytes" + (f" ({packed})" if packed else ""))
    counts = ", ".join(f"{count} {entity.replace('_', ' ')}" for entity, count in found.counts.items())
    showing.line(f"  specs        {counts or 'none'}")
    showing.line(f"  rules        {found.rules:,} with {found.conditions:,} conditions")
    for name, counted in (
        ("conditions", found.condition_types),
        ("operators", found.operators),
        ("user fields", found.user_fields),
        ("unit ids", found.unit_ids),
        ("target apps", found.target_apps),
    ):
        if counted:
            showing.line(f"  {name:<12} {_listed(counted)}")
    if found.id_lists:
        showing.line(f"  {'ID lists':<12} {', '.join(found.id_lists[:_LISTED])}")
    if found.largest:
        showing.line()
        showing.line("Largest", style="bold cyan")
        rows = [(each.kind, each.name, f"{each.rules:,}", f"{each.size:,}") for each in found.largest]
        showing.table(("kind", "name", "rules", "bytes"), rows, right=(2, 3))
    if found.warnings:
        showing.line()
        showing.line("Look at", style="bold yellow")
        for warning in found.warnings:
            showing.line(f"  {warning}")


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:_LISTED]]
    more = [f"and {len(counts) - _LISTED} more"] if len(counts) > _LISTED else []
    return ", ".join([*shown, *more])
