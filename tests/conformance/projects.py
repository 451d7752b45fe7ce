"""The payloads of real projects, and the sample project, each with many users."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from comparisons import all_checks, users_for
from conformance.case import Case, Question
from shared_data import shared_path
from statsig_fastly.sample_project import sample_project, sample_users

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["REAL_PAYLOADS", "project_cases"]

REAL_PAYLOADS: Final = ("v2_demo_project.json", "v2_sampling.json", "v2_target_app.json")
_USERS: Final = 250  # per case, so that several processes share the work


def project_cases(users: int) -> list[Case]:
    """Each project with this many users; real projects only where their payloads are."""
    return [*_real(users), *_cut("sample project", sample_project(), sample_users(max(users // 10, 1)))]


def _real(users: int) -> Iterator[Case]:
    for name in REAL_PAYLOADS:
        path = shared_path("data", name)
        if path.exists():
            payload = json.loads(path.read_text(encoding="utf-8"))
            yield from _cut(name, payload, users_for(payload, users))


def _cut(label: str, payload: dict[str, Any], users: list[dict[str, Any]]) -> Iterator[Case]:
    questions = _questions(payload)
    for start in range(0, len(users), _USERS):
        yield Case(f"project: {label}, users from {start}", payload, users[start : start + _USERS], questions)


def _questions(payload: dict[str, Any]) -> list[Question]:
    questions = [Question(kind, name) for kind, name in all_checks(payload)]
    questions += [
        Question("layer_facts", question.name) for question in questions if question.kind == "layer"
    ]
    questions += [Question("experiment", name) for name in payload.get("cmab_configs") or ()]
    questions.append(Question("client_response", "", ("none", None, None)))
    return questions
