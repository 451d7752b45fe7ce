"""What several commands take: options with the same meaning everywhere, and what is written in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.publish.places import Access

__all__ = [
    "TOKEN_ENV",
    "Api",
    "AsJson",
    "IdListsUrl",
    "Largest",
    "Sample",
    "SdkKeyEnv",
    "Seed",
    "SpecsFormat",
    "SpecsUrl",
    "TokenEnv",
    "UsersFile",
    "WithIdLists",
    "access",
    "directory",
    "only_with",
    "seconds",
    "share",
    "user",
    "users",
    "written",
]

TOKEN_ENV = "FASTLY_API_TOKEN"  # noqa: S105 - a name

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Api: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="FASTLY_API_ENDPOINT", show_envvar=True, help="Base URL of Fastly's API, or of an emulator."
    ),
]
TokenEnv: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Environment variable that has the Fastly API token.")
]
SdkKeyEnv: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Environment variable that has Statsig's server key, for cdn.")
]
SpecsUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="STATSIG_SPECS_URL",
        show_envvar=True,
        help="What Statsig's CDN is replaced with, for cdn.",
    ),
]
SpecsFormat: TypeAlias = Annotated[
    Literal["v1", "v2"],
    typer.Option(help="Format asked of the CDN: v1 is what all Statsig SDKs at the edge read."),
]
Largest: TypeAlias = Annotated[
    int,
    typer.Option(min=1, metavar="BYTES", help="Most that a KV value may have; Fastly raises it on request."),
]
UsersFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--users", help="Users to count for: a CSV, JSON, JSON-lines, Parquet or Arrow file."),
]
Sample: TypeAlias = Annotated[
    int, typer.Option(min=1, max=1_000_000, help="Without --users: how many to make up.")
]
Seed: TypeAlias = Annotated[int, typer.Option(help="Another seed makes up other users.")]

IdListsUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="STATSIG_ID_LISTS_URL",
        show_envvar=True,
        help="Where the index of ID lists is, if not at Statsig's CDN.",
    ),
]
WithIdLists: TypeAlias = Annotated[
    bool,
    typer.Option("--id-lists", help="Read ID lists as well: of cdn, or beside a key of a KV Store."),
]

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(%)?")


def access(
    api: str,
    token_env: str,
    sdk_key_env: str,
    specs_url: str | None,
    specs_format: Literal["v1", "v2"],
    *,
    largest: int = 25_000_000,
    id_lists_url: str | None = None,
) -> Access:
    """How to get at stores and at Statsig, by these options."""
    from statsig_fastly.publish.places import Access

    return Access(
        api, token_env, sdk_key_env, specs_url, specs_format, largest=largest, id_lists_url=id_lists_url
    )


def seconds(text: str, option: str) -> float:
    """A duration: `10`, `10s`, `500ms`, `2m`.

    Raises:
        ValueError: It is none, or zero.
    """
    found = _DURATION.fullmatch(text.strip())
    value = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if value <= 0:
        raise ValueError(f"{option}: expected a duration above zero such as 10s, got {text!r}")
    return value


def share(text: str, option: str) -> float:
    """A share of all: `2%` or `0.02`.

    Raises:
        ValueError: It is none, or not between 0 and 1.
    """
    found = _SHARE.fullmatch(text.strip())
    value = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{option}: expected a share such as 2% or 0.02, got {text!r}")
    return value


def only_with(option: str, given: bool, others: Mapping[str, object]) -> None:
    """Refuses options that would do nothing without another one.

    Raises:
        ValueError: One of them is there, and `option` is not.
    """
    for other, value in others.items():
        if value is not None and not given:
            raise ValueError(f"{other}: expected together with {option}, got it alone")


def written(option: str, path: Path, content: bytes) -> None:
    """Writes a file that an option names.

    Raises:
        OSError: It cannot be written.
    """
    from statsig_fastly.publish.directory_store import replace_file

    try:
        replace_file(path.absolute(), content)
    except OSError as error:
        raise OSError(f"{option}: cannot write {path}: {error.strerror}") from None


def directory(option: str, path: Path | None, *, is_there: bool) -> Path | None:
    """A directory that an option names; None if there is none.

    Args:
        option: The option.
        path: The directory.
        is_there: Whether it has to be there already.

    Raises:
        ValueError: It is something else, or is not there.
    """
    if path is not None and (path.exists() or is_there) and not path.is_dir():
        said = "got a file" if path.exists() else "and there is none"
        raise ValueError(f"{option}: expected a directory at {path}, {said}")
    return path


def user(text: str) -> StatsigUser:
    """A user: an id, a JSON object, or `@` and a file with one.

    Raises:
        ValueError: It is none.
    """
    from statsig_fastly._native import StatsigUser
    from statsig_fastly.publish.users import user_of

    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ValueError(f"USER: cannot read {text[1:]}: {reason}") from None
    elif not text.startswith("{"):
        return StatsigUser(text)
    try:
        fields: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"USER: expected a JSON object ({error})") from None
    if not isinstance(fields, dict):
        raise ValueError(f"USER: expected a JSON object, got {type(fields).__name__}")  # noqa: TRY004
    try:
        return user_of(fields)
    except TypeError as error:
        raise ValueError(f"USER: {error}") from None


def users(file: Path | None) -> list[StatsigUser] | None:
    """The users of a file; None if there is no file.

    Raises:
        ValueError: It cannot be read.
    """
    from statsig_fastly.publish.users import read_users

    return None if file is None else read_users(file)
