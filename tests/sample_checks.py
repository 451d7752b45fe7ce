"""The sample project, loaded, and the names of what can be asked of it."""

from __future__ import annotations

import json
from typing import Final

from statsig_fastly._native import Evaluator
from statsig_fastly.sample_project import sample_project

__all__ = ["CONFIGS", "GATES", "PAYLOAD", "evaluator"]

PAYLOAD: Final = json.dumps(sample_project()).encode()


def evaluator() -> Evaluator:
    """An evaluator of the sample project that logs nothing."""
    made = Evaluator("production")
    made._load(PAYLOAD, "Test")
    return made


GATES: Final = evaluator().get_feature_gate_list()
CONFIGS: Final = [*evaluator().get_experiment_list(), *evaluator().get_dynamic_config_list()]
