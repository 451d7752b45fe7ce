"""What one user gets from a payload, and why. No client runs, and nothing is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly._native import Evaluator
from statsig_fastly.errors import AdapterError
from statsig_fastly.explain import explanation
from statsig_fastly.publish.list_lines import use_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.explain import CheckKind, Explanation
    from statsig_fastly.publish.list_lines import IdLines

__all__ = ["explained"]


def explained(
    body: bytes,
    user: StatsigUser,
    name: str,
    kind: CheckKind | None = None,
    *,
    environment: str | None = None,
    lists: IdLines | None = None,
) -> Explanation:
    """Evaluates one check and tells how.

    Args:
        body: The payload.
        user: Who asks.
        name: What for.
        kind: As what; None finds out.
        environment: Tier to check with.
        lists: ID lists by name; None for none.

    Raises:
        PayloadError: The payload does not compile.
        AdapterError: There is nothing of the name, or an ID list is none.
    """
    evaluator = Evaluator(environment)
    evaluator._load(body, "Payload")  # noqa: SLF001 - its own package
    use_lines(evaluator, lists or {})
    trace, details = evaluator._explain(user, name, kind, True)  # noqa: SLF001
    found = explanation(trace, details)
    if found.check.how == "missing":
        hint = _hint(name, _names(evaluator), kind)
        raise AdapterError(f"there is no {kind or 'gate, config, experiment or layer'} {name!r}{hint}")
    return found


def _hint(name: str, names: Mapping[CheckKind, list[str]], kind: CheckKind | None) -> str:
    """What may have been meant, for a message."""
    import difflib

    others = [f"a {each} of that name" for each, known in names.items() if name in known]
    if others:
        return f"; there is {' and '.join(others)}".replace(" a experiment", " an experiment")
    asked = [each for which, known in names.items() if kind in {None, which} for each in known]
    near = difflib.get_close_matches(name, asked, 3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _names(evaluator: Evaluator) -> dict[CheckKind, list[str]]:
    return {
        "gate": evaluator.get_feature_gate_list(),
        "config": evaluator.get_dynamic_config_list(),
        "experiment": [*evaluator.get_experiment_list(), *evaluator.get_autotune_list()],
        "layer": evaluator.get_layer_list(),
    }
