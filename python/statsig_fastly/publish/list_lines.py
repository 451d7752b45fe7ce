"""ID lists as a count of flips or an explanation takes them: the lines of every list there is.

In: where ID lists are. Out: their lines by name; and an evaluator that has them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly._native import Evaluator
    from statsig_fastly.adapters import IdListAdapter

__all__ = ["IdLines", "changed_lists", "read_lines", "use_lines"]

IdLines: TypeAlias = "Mapping[str, bytes]"
"""The lines of ID lists by name, as in Statsig's files: `+` or `-` and the start of a digest each."""


def read_lines(lists: IdListAdapter) -> dict[str, bytes]:
    """The lines of all lists; nothing where there are none so far.

    Raises:
        AdapterError: They could not be read.
    """
    try:
        files = lists.fetch_id_lists()
    except AdapterError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return {}
        raise
    return {file.name: lists.fetch_id_list(file, 0) for file in files}


def use_lines(evaluator: Evaluator, lines: IdLines) -> None:
    """Gives lists to an evaluator.

    Raises:
        AdapterError: One is none.
    """
    for name, said in lines.items():
        # A list that nobody is in has no lines.
        if not evaluator._set_id_list(name, said if said.strip() else b"-\n"):  # noqa: SLF001 - its own package
            raise AdapterError(f"ID list {name[:80]!r}: expected lines that start with '+' or '-'")


def changed_lists(old: IdLines, new: IdLines) -> set[str]:
    """The names of lists that are not the same in both."""
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}
