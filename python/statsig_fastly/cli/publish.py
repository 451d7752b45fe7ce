"""`statsig-fastly publish`: brings a payload into a store, once or for good.

In: the options of the command. Out: what came of it on stdout, as text or JSON. The work is done by
`statsig_fastly.publish`.
"""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from statsig_fastly.cli import arguments, showing
from statsig_fastly.cli.endings import ending

if TYPE_CHECKING:
    from statsig_fastly.publish.health import Health
    from statsig_fastly.publish.report import PublishReport
    from statsig_fastly.publish.watch import WatchState

__all__ = ["publish", "register", "show_report"]

_HEALTHY_S = 60.0
_INTERVALS = 3.0
_WORTH_A_WORD_S = 0.005


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("publish")(publish)


def publish(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="SOURCE", help="cdn, file:PATH, kv:STORE/KEY, config:STORE/KEY, toml:PATH."
        ),
    ],
    target: Annotated[
        str,
        typer.Option("--to", metavar="TARGET", help="kv:STORE/KEY, config:STORE/KEY or toml:PATH#STORE/KEY."),
    ],
    target_app: Annotated[
        str | None, typer.Option(help="Leave out what this target app has no use for.")
    ] = None,
    compress: Annotated[
        Literal["plain", "gzip", "zstd", "brotli"],
        typer.Option(help="Statsig's own SDKs read plain only; this package reads all."),
    ] = "plain",
    chunks: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            help="Store it in chunks: if it is too large, always, or never. Only this package reads them."
        ),
    ] = "auto",
    keep: Annotated[int, typer.Option(min=0, max=100, help="Published versions to keep, to go back to.")] = 5,
    history: Annotated[
        Path | None, typer.Option(help="Keep the versions in this directory, and not in the store.")
    ] = None,
    id_lists: Annotated[
        bool, typer.Option("--id-lists", help="Publish Statsig's ID lists beside it.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also publish what is older than what is there, or was rolled back."),
    ] = False,
    max_flips: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Refuse if more users, such as 2%, would get another answer."),
    ] = None,
    users_file: arguments.UsersFile = None,
    sample: arguments.Sample = 10_000,
    seed: arguments.Seed = 2024,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all but write.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until SIGTERM or Ctrl-C.")] = False,
    interval: Annotated[str, typer.Option(help="Time from one look to the next, with --watch.")] = "10s",
    health_file: Annotated[
        Path | None, typer.Option(help="Write how it goes to this file after each look, with --watch.")
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Answer 200 on this port while all is well, else 503, with --watch."
        ),
    ] = None,
    health_host: Annotated[str, typer.Option(help="Address for --health-port.")] = "127.0.0.1",
    largest: arguments.Largest = 25_000_000,
    api: arguments.Api = "https://api.fastly.com",
    token_env: arguments.TokenEnv = arguments.TOKEN_ENV,
    sdk_key_env: arguments.SdkKeyEnv = "STATSIG_SDK_KEY",
    specs_url: arguments.SpecsUrl = None,
    specs_format: arguments.SpecsFormat = "v1",
    id_lists_url: arguments.IdListsUrl = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Publish config specs to a store: checked, guarded, and read back.

    What is there already is not written again, and an older payload never replaces a newer one.

    Example: statsig-fastly publish --from cdn --to kv:my-store/statsig-1a2b --max-flips 2%

    Ends with 0 if it is there now, 1 if something failed, 2 if the command line is wrong, and 3 if a guard
    refused: it is older, was rolled back, is too large, or too many users would get another answer.
    """
    from statsig_fastly.cli.stopping import stop_signals
    from statsig_fastly.publish.jobs import PublishJob, open_job
    from statsig_fastly.publish.places import Place

    with ending("publish", as_json=as_json):
        every = arguments.seconds(interval, "--interval")
        arguments.only_with("--watch", watch, {"--health-file": health_file, "--health-port": health_port})
        arguments.only_with("--max-flips", max_flips is not None, {"--users": users_file})
        job = PublishJob(
            source=Place.parse(source, "--from"),
            target=Place.parse(target, "--to", target=True),
            access=arguments.access(
                api,
                token_env,
                sdk_key_env,
                specs_url,
                specs_format,
                largest=largest,
                id_lists_url=id_lists_url,
            ),
            target_app=target_app,
            compression=compress,
            chunking=chunks,
            keep=keep,
            history=arguments.directory("--history", history, is_there=False),
            id_lists=id_lists,
            force=force,
            max_flips=None if max_flips is None else arguments.share(max_flips, "--max-flips"),
            users=arguments.users(users_file),
            sample=sample,
            seed=seed,
            dry_run=dry_run,
        )
        if watch:
            with stop_signals() as stopped, open_job(job, stopped) as opened:
                health = _health(every, health_file, health_host, health_port, as_json=as_json)
                try:
                    opened.watch(every, stopped, lambda state, report: _tell(state, report, health, as_json))
                finally:
                    health.close()
            return
        with showing.progress() as progress, open_job(job, progress=progress) as opened:
            report = opened.publish()
        if as_json:
            showing.print_json(report.to_dict())
        else:
            show_report(report)


def show_report(report: PublishReport) -> None:
    """Prints what came of it in words."""
    style = "bold green" if report.outcome in {"published", "unchanged"} else "bold yellow"
    showing.line(f"{report.outcome}: {report.place}", style=style)
    before = "nothing" if report.previous_time is None else showing.when(report.previous_time)
    showing.line(f"  time      {showing.when(report.time)} (before: {before})")
    showing.line(f"  digest    {report.digest}")
    form = report.encoding if not report.chunks else f"{report.encoding}: {report.chunks}"
    written = f", {report.chunks_written} of them new" if report.chunks else ""
    showing.line(f"  size      {report.size:,} bytes, {report.stored_size:,} in the store ({form}{written})")
    counts = ", ".join(f"{count} {entity.replace('_', ' ')}" for entity, count in report.counts.items())
    showing.line(f"  specs     {counts or 'none'}")
    if report.version is not None:
        showing.line(f"  version   {report.version}")
    if report.flips is not None:
        flips = report.flips
        showing.line(f"  flips     {flips.any_flip:,} of {flips.users:,} users get another answer")
    steps = [(step, taken) for step, taken in report.seconds.items() if taken >= _WORTH_A_WORD_S]
    if report.id_lists is not None:
        lists = report.id_lists
        showing.line(
            f"  ID lists  {lists.outcome}: {lists.lists} ({lists.written} of them new), {lists.size:,} bytes"
        )
    taken = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps)
    showing.line(f"  took      {sum(report.seconds.values()):.2f} s" + (f" ({taken})" if taken else ""))
    for warning in report.warnings:
        sys.stderr.write(f"statsig-fastly publish: warning: {warning}\n")


def _health(every: float, file: Path | None, host: str, port: int | None, *, as_json: bool) -> Health:
    from statsig_fastly.publish.health import Health

    health = Health(max(_HEALTHY_S, _INTERVALS * every), file)
    if file is not None:
        arguments.written("--health-file", file, health.text)
    if port is not None:
        try:
            port = health.serve(host, port)
        except OSError as error:
            raise OSError(f"--health-port: cannot listen on {host}:{port}: {error.strerror}") from None
        said = f"http://{host}:{port}"
        if as_json:
            showing.print_json({"health": said}, indent=None)
        else:
            showing.line(f"health at {said}")
    return health


def _tell(state: WatchState, report: PublishReport | None, health: Health, as_json: bool) -> None:
    """Tells of a look: all of them as JSON, or what is worth a line as text."""
    try:
        health.note(state)
    except OSError as error:  # what keeps the store up to date goes on
        sys.stderr.write(f"statsig-fastly publish: warning: --health-file: {error.strerror}\n")
    if as_json:
        told: dict[str, Any] = state.to_dict()
        if report is not None:
            told["report"] = report.to_dict()
        showing.print_json(told, indent=None)
        return
    at = showing.when(state.at * 1000)
    if state.error is not None:
        sys.stderr.write(f"{at} {state.outcome}: {state.error}\n")
        sys.stderr.flush()
    elif state.outcome != "nothing new":
        showing.line(f"{at} {state.outcome}: time {showing.when(state.time)}")
