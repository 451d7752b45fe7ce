"""Users to try a payload on: out of a file, or made up so that its conditions can tell them apart.

In: a CSV, JSON, JSON-lines, Parquet or Arrow file, or payloads and a seed. Out: users.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly._native import StatsigUser
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from statsig_fastly.publish.specs import Specs

__all__ = ["UserFileError", "made_up_users", "read_users", "user_of"]

_KEYWORDS: Final = {
    "userID": "user_id",
    "email": "email",
    "ip": "ip",
    "country": "country",
    "locale": "locale",
    "appVersion": "app_version",
    "userAgent": "user_agent",
    "custom": "custom",
    "customIDs": "custom_ids",
    "privateAttributes": "private_attributes",
    "statsigEnvironment": "statsig_environment",
}
_WIRE: Final = {keyword: wire for wire, keyword in _KEYWORDS.items()}
_MAPPINGS: Final = ("custom", "customIDs", "privateAttributes", "statsigEnvironment")
_OF_OWN: Final = frozenset(_KEYWORDS) - frozenset(_MAPPINGS)
_ALIASES: Final = {
    "id": "userID",
    "userid": "userID",
    "user_id": "userID",
    "app_version": "appVersion",
    "appversion": "appVersion",
    "user_agent": "userAgent",
    "useragent": "userAgent",
}
_COLUMNAR: Final = {".parquet": "Parquet", ".arrow": "Arrow", ".feather": "Arrow", ".ipc": "Arrow"}
_JSON_SPACE: Final = b" \t\r\n"
# Every other user has, for a field, a value that some condition looks for.
_WANTED_SHARE: Final = 0.5
_NAMED_SHARE: Final = 0.02


class UserFileError(ValueError):
    """A file of users that cannot be read. The message names the file, the line or row, and what is wrong."""


def user_of(fields: Mapping[str, Any]) -> StatsigUser:
    """A user out of a mapping with the names of the payload or those of `StatsigUser`.

    Raises:
        TypeError: A name or a type is wrong.
    """
    keywords: dict[str, Any] = {}
    for name, value in fields.items():
        keyword = _KEYWORDS.get(name, name)
        if keyword not in _WIRE:
            raise TypeError(f"user: no such field {name!r}; attributes of your own go into custom")
        keywords[keyword] = value
    return StatsigUser(**keywords)


def read_users(path: Path | str, most: int | None = None) -> list[StatsigUser]:
    """Reads a file of users.

    CSV, Parquet and Arrow files have a column for each field (`userID`, `email`, `country`, …);
    `custom.plan`, `customIDs.companyID` and `privateAttributes.score` are fields inside of those, and any
    other column is a custom attribute. Empty cells of a CSV file are left out, and its numbers and `true`
    and `false` count as such in custom attributes. JSON files hold a list of users, or one on each line.

    Args:
        path: The file; its ending tells what it is.
        most: How many users at most.

    Raises:
        UserFileError: The file cannot be read, or a user cannot.
    """
    path = Path(path)
    found: list[StatsigUser] = []
    for where, fields in _rows(path):
        if most is not None and len(found) >= most:
            break
        try:
            found.append(user_of(fields))
        except (TypeError, ValueError) as error:
            raise UserFileError(f"{path}: {where}: {error}") from None
    if not found:
        raise UserFileError(f"{path}: expected users, found none")
    if not any(user.user_id or user.custom_ids for user in found):
        # Most likely another name or separator was meant: users without ids are all in the same buckets.
        raise UserFileError(f"{path}: expected users with userID or customIDs, got {_names(path)} only")
    return found


def _names(path: Path) -> str:
    """What the first row of a file has, for messages."""
    _, fields = next(_rows(path))
    names = [name for name in fields if name != "custom"] + [*fields.get("custom", {})]
    return ", ".join(map(repr, names[:5])) + (" and more" if len(names) > 5 else "")  # noqa: PLR2004


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = path.suffix.lower()
    if kind in _COLUMNAR:
        yield from _columnar_rows(path, _COLUMNAR[kind])
        return
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UserFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserFileError(f"{path}: expected UTF-8, got other bytes at {error.start}") from None
    if kind == ".csv":
        yield from _csv_rows(path, text)
    elif content.lstrip(_JSON_SPACE).startswith(b"["):
        yield from _json_list(path, text)
    else:
        yield from _json_lines(path, text)


def _json_list(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        users = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserFileError(f"{path}: expected a JSON list of users, got other text ({error})") from None
    for number, user in enumerate(users, 1):
        if not isinstance(user, dict):
            raise UserFileError(f"{path}: user {number}: expected an object, got {type(user).__name__}")
        yield f"user {number}", user


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            user = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserFileError(f"{path}: line {number}: expected a user as JSON ({error})") from None
        if not isinstance(user, dict):
            raise UserFileError(f"{path}: line {number}: expected an object, got {type(user).__name__}")
        yield f"line {number}", user


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) != len(header) or not all(header):
            raise UserFileError(f"{path}: line 1: expected a name for each column, each of them once")
        for cells in reader:
            where = f"line {reader.line_num}"
            if len(cells) > len(header):
                raise UserFileError(f"{path}: {where}: expected {len(header)} cells, got {len(cells)}")
            given = {name: cell for name, cell in zip(header, cells, strict=False) if cell != ""}
            if given:
                yield where, _from_columns(f"{path}: {where}", given, typed=False)
    except csv.Error as error:
        raise UserFileError(f"{path}: line {reader.line_num}: expected CSV ({error})") from None


def _columnar_rows(path: Path, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise UserFileError(
            f"{path}: reading {what} needs pyarrow, which is not installed: "
            "pip install 'statsig-fastly[arrow]'"
        ) from None
    number = 0
    try:
        for batch in _batches(path, what):
            for row in batch.to_pylist():
                number += 1
                yield (
                    f"row {number}",
                    _from_columns(
                        f"{path}: row {number}",
                        {name: value for name, value in row.items() if value is not None},
                        typed=True,
                    ),
                )
    except (OSError, pa.ArrowException) as error:
        raise UserFileError(
            f"{path}: expected {what} data, got something else: {' '.join(str(error).split())[:200]}"
        ) from None


def _batches(path: Path, what: str) -> Iterator[Any]:
    if what == "Parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches()
        return
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            reader = pa.ipc.open_file(source)
        except pa.ArrowInvalid:  # the other of Arrow's two formats
            source.seek(0)
            yield from pa.ipc.open_stream(source)
            return
        for at in range(reader.num_record_batches):
            yield reader.get_batch(at)


def _from_columns(place: str, cells: Mapping[str, Any], *, typed: bool) -> dict[str, Any]:
    user: dict[str, Any] = {}
    for column, given in cells.items():
        outer, dot, inner = column.partition(".")
        outer = _WIRE.get(outer, _ALIASES.get(outer.lower(), outer))
        value = given if typed else _typed(given)
        if dot and outer in _MAPPINGS:
            # Ids are text, also those that look like numbers.
            inside = given if outer == "customIDs" else value
            user.setdefault(outer, {})[inner] = inside
        elif outer in _MAPPINGS and isinstance(value, dict):
            user.setdefault(outer, {}).update({k: v for k, v in value.items() if v is not None})
        elif outer in _MAPPINGS:
            raise UserFileError(
                f"{place}: column {column!r}: expected an object, or a column for each field such as "
                f"{outer}.name, got {value!r:.40}"
            )
        elif outer in _OF_OWN and not dot:
            user[outer] = given if isinstance(given, str) else str(given)
        else:
            user.setdefault("custom", {})[column] = value
    return user


def _typed(cell: str) -> object:
    """A cell of a CSV file as JSON has it, if it is a number, a boolean, a list or an object there."""
    if cell in {"true", "false"} or cell[:1] in "-0123456789[{":
        try:
            value: object = json.loads(cell)
        except (ValueError, RecursionError):
            return cell
        return value
    return cell


def made_up_users(count: int, payloads: Iterable[Specs], seed: int = 2024) -> list[StatsigUser]:
    """Makes up users that the conditions of some payloads can tell apart.

    Every user has an id of each type that is used, and for most fields that conditions look at either a value
    they look for or another one.

    Args:
        count: How many.
        payloads: Whose conditions to meet.
        seed: The same seed and payloads make the same users, on every Python version.
    """
    wanted, units = _wanted(payloads)
    dice = Dice(seed)
    users = []
    for number in range(count):
        fields: dict[str, Any] = {"userID": f"user-{dice.text('0123456789abcdef', 12)}"}
        fields["customIDs"] = {unit: f"{unit}-{dice.text('0123456789abcdef', 12)}" for unit in units}
        for name, values in wanted.items():
            # An id that a condition looks for is that of few.
            is_unit = name in fields["customIDs"] or _ALIASES.get(name.lower(), name) == "userID"
            if dice.chance(_NAMED_SHARE if is_unit else _WANTED_SHARE):
                _give(fields, name, dice.pick(values))
            elif not is_unit and dice.chance(_WANTED_SHARE):
                _give(fields, name, f"other-{number % 10}")
        users.append(user_of(fields))
    return users


def _wanted(payloads: Iterable[Specs]) -> tuple[dict[str, list[Any]], list[str]]:
    """Values that conditions look for, by field, and the types of ids."""
    wanted: dict[str, dict[str, Any]] = {}
    units: set[str] = set()
    for specs in payloads:
        for ref in specs.refs():
            spec = specs.spec(ref) or {}
            units.add(str(spec.get("idType")))
            for rule in specs.rules(spec):
                units.add(str(rule.get("idType")))
                for condition in specs.conditions(rule):
                    units.add(str(condition.get("idType")))
                    for field, value in _looked_for(condition):
                        wanted.setdefault(field, {})[json.dumps(value, sort_keys=True)] = value
    ids = sorted(unit for unit in units if unit.lower() not in {"userid", "none", ""})
    return {field: [each[key] for key in sorted(each)] for field, each in sorted(wanted.items())}, ids


def _looked_for(condition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kind, field, target = (condition.get(name) for name in ("type", "field", "targetValue"))
    targets = target if isinstance(target, list) else [*target] if isinstance(target, dict) else [target]
    if kind == "environment_field":
        field = "tier"
    elif kind == "unit_id":
        field = str(condition.get("idType"))
    elif kind not in {"user_field", "ip_based"} or not isinstance(field, str):
        return
    for value in targets[:200]:
        if isinstance(value, bool | str):
            yield field, value
        elif isinstance(value, int | float):  # a threshold has two sides
            yield from ((field, value - 1), (field, value), (field, value + 1))


def _give(fields: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 - JSON
    name = _ALIASES.get(name.lower(), name)
    if name == "tier":
        fields["statsigEnvironment"] = {"tier": str(value)}
    elif name == "email":
        fields["email"] = value if isinstance(value, str) and "@" in value[1:] else f"someone{value}"
    elif name in _OF_OWN:
        fields[name] = str(value)
    elif name in fields["customIDs"]:
        fields["customIDs"][name] = str(value)
    else:
        fields.setdefault("custom", {})[name] = value
