"""What one user gets from a payload, and why. No client runs, and nothing is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly._native import Evaluator
from statsig_fastly.errors import AdapterError
from statsig_fastly.explain import explanation

if TYPE_CHECKING:
    from statsig_fastly._native import StatsigUser
    from statsig_fastly.explain import CheckKind, Explanation

__all__ = ["explained"]


def explained(
    body: bytes,
    user: StatsigUser,
    name: str,
    kind: CheckKind | None = None,
    *,
    environment: str | None = None,
) -> Explanation:
    """Evaluates one check and tells how.

    Args:
        body: The payload.
        user: Who asks.
        name: What for.
        kind: As what; None finds out.
        environment: Tier to check with.

    Raises:
        PayloadError: The payload does not compile.
        AdapterError: There is nothing of the name.
    """
    evaluator = Evaluator(environment)
    evaluator._load(body, "Payload")  # noqa: SLF001 - its own package
    trace, details = evaluator._explain(user, name, kind, True)  # noqa: SLF001
    found = explanation(trace, details)
    if found.check.how == "missing":
        names = _names(evaluator)
        import difflib

        near = difflib.get_close_matches(name, names, 3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise AdapterError(f"there is no {kind or 'gate, config, experiment or layer'} {name!r}{hint}")
    return found


def _names(evaluator: Evaluator) -> list[str]:
    return [
        *evaluator.get_feature_gate_list(),
        *evaluator.get_dynamic_config_list(),
        *evaluator.get_experiment_list(),
        *evaluator.get_autotune_list(),
        *evaluator.get_layer_list(),
    ]
