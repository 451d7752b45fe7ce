"""The payload says for how long an exposure is not repeated, and a rule is known: as in the official core.

The engine's own tests have every value and exact times; the core looks at its clock once a second only.
"""

from __future__ import annotations

import json
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from conformance.build import PUBLIC, config, gate, layer, payload, rule
from recorded_events import Both
from recording_storage import RecordingStorage
from statsig_fastly._native import Evaluator, EventLog

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 60.0
NEVER = 10**12
KEPT = {"value": True, "json_value": {"a": "kept"}, "rule_id": "kept rule", "time": 1_600_000_000_000}


def project(ttl: object) -> dict[str, Any]:
    return payload(
        {"gate": gate([rule("r", ["yes"])]), "rated": gate([rule("r", ["yes"], samplingRate=NEVER)])},
        {
            "config": config([rule("r", ["yes"], {"a": 1})]),
            "kept": config([rule("r", ["yes"], {"a": 1})], entity="experiment", isActive=True),
        },
        {"layer": layer([rule("r", ["yes"], {"a": 1})])},
        {"yes": PUBLIC},
        sdk_configs={
            "sampling_mode": "on",
            "exposure_dedupe_ttl_ms": ttl,
            "exposure_spec_sampling_ttl_ms": ttl,
        },
    )


def check(sdk: Any, client: Any, number: int) -> None:  # noqa: ANN401 - either package
    """All there is, as one user; and a rule that is exposed to a new one each time."""
    user = sdk.StatsigUser("u")
    client.check_gate(user, "gate")
    client.get_dynamic_config(user, "config")
    client.get_layer(user, "layer").get("a")
    options = sdk.ExperimentEvaluationOptions(user_persisted_values={"kept": KEPT})
    client.get_experiment(user, "kept", options)
    client.check_gate(sdk.StatsigUser(f"user {number}"), "rated")


def kinds(events: Iterable[dict[str, Any]]) -> list[str]:
    """The events without whom they are about."""
    return [json.dumps({**event, "user": None}, sort_keys=True) for event in events]


@pytest.mark.parametrize("ttl", [1, "1000.5"])
def test_what_was_exposed_is_exposed_again(ttl: object) -> None:
    deadline = time.monotonic() + PATIENCE
    ours: list[str] = []
    theirs: list[str] = []
    with Both(project(ttl), RecordingStorage) as both:
        for number in count():
            sent = both.run(lambda sdk, client, number=number: check(sdk, client, number))  # type: ignore[misc]
            ours += kinds(sent[0])
            theirs += kinds(sent[1])
            if number == 0:
                assert ours == theirs
                assert len(set(ours)) == 5
            if all(events.count(kind) > 1 for events in (ours, theirs) for kind in set(ours)):
                break
            assert time.monotonic() < deadline, (ours, theirs)
        stats = both.ours.stats().events
    assert set(ours) == set(theirs)
    assert stats is not None
    assert stats.deduplicated > 0


def test_only_the_payload_in_use_counts() -> None:
    log = EventLog(batch_size=10, capacity=100, dedupe_ms=60_000, dedupe_keys=100)
    evaluator = Evaluator(events=log)

    def expose_twice() -> tuple[int, int]:
        for number in range(2):
            evaluator.check_gate(f"user {time.monotonic_ns()} {number}", "rated")
        return log.counts["recorded"], log.counts["sampled_out"]

    evaluator._load(json.dumps(project(1)).encode(), "Test")
    assert expose_twice() == (1, 1)  # the first of its rule
    later = {**project(1), "time": project(1)["time"] + 1}
    del later["sdk_configs"]
    evaluator._load(json.dumps(later).encode(), "Test")
    assert expose_twice() == (3, 1)
