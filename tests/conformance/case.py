"""One thing to compare: a payload, the users who ask, and what they ask."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from conformance.formats import as_v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from answers import Kind as CheckKind

__all__ = ["Case", "Kind", "Override", "Question", "raw_number"]

Kind: TypeAlias = Literal[
    "gate",
    "config",
    "experiment",
    "layer",
    "store",
    "names",
    "groups",
    "group_by_name",
    "group_by_id",
    "client_response",
    "layer_facts",
    "explained",
    "persisted",
    "same_user",
]

# Name of a method, which both packages have, and its arguments.
Override: TypeAlias = tuple[str, tuple[Any, ...]]

_RAW: Final = re.compile(r'"@number ([^"@]+)@"')


@dataclass(frozen=True)
class Question:
    """What one call asks for.

    Attributes:
        kind: Which call.
        name: Of the spec or parameter store; need not exist.
        detail: What else the call takes: (parameter, getter, fallback) of a `store`; the group of
            `group_by_…`; hash, client SDK key and whether to include overrides of a `client_response`;
            kind, id type, whether values are passed, and the two enforcing options of `persisted`; kind of
            an `explained` check, None if that is left to this package; the other user of `same_user`.
    """

    kind: Kind
    name: str = ""
    detail: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Case:
    """A payload with everything needed to ask both engines about it.

    Attributes:
        label: Where it comes from, for messages.
        payload: Config specs, v2 format, as an object; or the text of a payload that is none.
        users: Wire-name dicts.
        questions: What each of the users asks.
        environment: Global tier for the options of both engines.
        global_custom_fields: For the options of both engines.
        overrides: Local overrides, made in this order before the first question.
        id_lists: Unit ids by name of the list.
        id_list_files: Files of further lists by name: what each goes through, None taking it away.
        options: Further options of both engines.
        ascii: Whether the text of the payload escapes what is not ASCII.
        v1: Whether this package gets the payload in the v1 format, which the official core does not read.
    """

    label: str
    payload: dict[str, Any] | str
    users: Sequence[dict[str, Any]]
    questions: Sequence[Question]
    environment: str | None = None
    global_custom_fields: dict[str, Any] | None = None
    overrides: Sequence[Override] = ()
    id_lists: dict[str, list[str]] = field(default_factory=dict)
    id_list_files: dict[str, list[bytes | None]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    ascii: bool = True
    v1: bool = False

    @property
    def text(self) -> str:
        """The payload as JSON text; unpaired surrogates always are escaped."""
        return self.payload if isinstance(self.payload, str) else _text(self.payload, ascii_only=self.ascii)

    @property
    def checks(self) -> list[tuple[CheckKind, str]]:
        """Kind and name of the questions that are plain checks."""
        return [
            (question.kind, question.name)
            for question in self.questions
            if question.kind in ("gate", "config", "experiment", "layer")
        ]

    @property
    def our_text(self) -> str:
        """The payload as this package gets it."""
        if self.v1 and isinstance(self.payload, dict):
            return _text(as_v1(self.payload), ascii_only=self.ascii)
        return self.text


def _text(payload: dict[str, Any], *, ascii_only: bool) -> str:
    text = json.dumps(payload, ensure_ascii=ascii_only)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(payload)
    return _RAW.sub(r"\1", text)


def raw_number(spelling: str) -> str:
    """Stands for a number in a payload that is to be spelled in this way, such as `1e2`."""
    return f"@number {spelling}@"
