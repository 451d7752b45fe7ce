"""`statsig-fastly bench`: how long checks of a payload take on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

if TYPE_CHECKING:
    from statsig_fastly.publish.measure import Measured

__all__ = ["bench", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("bench")(bench)


def bench(
    source: Annotated[str, typer.Argument(help="A file, or a place as for publish --from.")],
    *,
    budget: Annotated[
        float, typer.Option("--seconds", min=0.05, max=600, help="For how long about to measure.")
    ] = 3.0,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    sdk_key_env: arguments.SdkKeyEnv = "STATSIG_SDK_KEY",
    specs_url: arguments.SpecsUrl = None,
    specs_format: arguments.SpecsFormat = "v1",
    as_json: arguments.AsJson = False,
) -> None:
    """Time checks of a payload on this machine: nanoseconds per check, without exposures.

    Example: statsig-fastly bench kv:my-store/statsig-1a2b

    Ends with 0, 1 if there is no payload that can be used, and 2 if the command line is wrong.
    """
    from statsig_fastly.errors import AdapterError
    from statsig_fastly.publish.measure import measure
    from statsig_fastly.publish.places import Place, read_payload

    with ending("bench", as_json=as_json):
        access = arguments.access(api, token_env, sdk_key_env, specs_url, specs_format)
        payload = read_payload(Place.parse(source, "SOURCE"), access)
        with showing.progress() as progress:
            found = measure(
                payload, seconds=budget, progress=lambda done, total: progress("checks", done, total)
            )
        if not found.ns:
            raise AdapterError("the payload has nothing to check: no gate, config, experiment or layer")
        if as_json:
            showing.print_json(found.to_dict())
        else:
            _show(found)


def _show(found: Measured) -> None:
    showing.line(
        f"{found.size:,} bytes load in {found.load_ms:.2f} ms; {found.checks:,} checks, {found.users} users",
        style="bold cyan",
    )
    rows = [
        (kind, f"{ns['median']:,.0f}", f"{ns['largest']:,.0f}", f"{1e9 / ns['median']:,.0f}")
        for kind, ns in found.ns.items()
    ]
    showing.table(("ns per check of a", "median", "slowest", "checks a second"), rows, right=(1, 2, 3))
    showing.line()
    showing.line("Slowest", style="bold cyan")
    showing.bars([(f"{each.kind} {each.name}", each.ns, f"{each.ns:,.0f} ns") for each in found.slowest])
