"""What the extension is optimised for, where a wheel is built with a profile (`make wheel-pgo`).

In: nothing; run by maturin with the instrumented extension installed. Out: what that writes itself: which
branches are taken how often. What is left out here is optimised for size, so everything hot has its turn.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from cases import CASES, NAMES, payload, user_fields
from growth import LOAD_BYTES, payload_of
from statsig_fastly import StatsigUser
from statsig_fastly._native import Evaluator, EventLog
from statsig_fastly.sample_project import sample_project
from statsig_fastly.sample_users import sample_users

TURNS, ROWS = 20, 50_000


def checks() -> None:
    """The loops whose instructions are counted."""
    sys.path.append(str(Path(__file__).parent / "instructions"))
    python_calls = importlib.import_module("python_calls")
    clients = {exposures: python_calls.client(payload(), exposures) for exposures in (False, True)}
    user = StatsigUser(**user_fields(0))
    for turn in range(TURNS):
        ids = [f"user-{turn * python_calls.MANY + number:09d}" for number in range(python_calls.MANY)]
        for source, exposures, spec in python_calls.loops().values():
            python_calls.compiled(source)(clients[exposures], user, ids, spec, range(len(ids)))


def everything() -> None:
    """A whole project, users of all kinds, and what is sent about them."""
    log = EventLog(batch_size=2_000, capacity=20_000, dedupe_ms=60_000, dedupe_keys=100_000)
    client = Evaluator("production", events=log)
    client._load(json.dumps(sample_project()).encode(), "Training")
    ask = {
        client.get_experiment: client.get_experiment_list(),
        client.get_dynamic_config: client.get_dynamic_config_list(),
        client.get_layer: client.get_layer_list(),
    }
    for number, user in enumerate(sample_users(1_000)):
        client.check_gates(user, client.get_feature_gate_list())
        for get, names in ask.items():
            for name in names:
                get(user, name).get("color", "red")
        while batch := log.take(2_000):
            for _ in batch:
                pass
        client.evaluate_all(user)
        if number % 20 == 0:
            client.get_client_initialize_response(user)


def loads() -> None:
    project = payload_of(LOAD_BYTES)
    for _ in range(2 * TURNS):
        Evaluator()._load(project, "Training")


def batches() -> None:
    import pyarrow as pa

    users = [user_fields(number) for number in range(ROWS)]
    client = Evaluator("production")
    client._load(payload(), "Training")
    for columns in (("user_id",), tuple(users[0])):
        table = pa.table({name: [user[name] for user in users] for name in columns})
        gates = [NAMES[letter] for letter in CASES if letter != "D"]
        for asked in ({"gates": gates[1:2]}, {"gates": gates, "experiments": [NAMES["D"]]}):
            for _ in range(5):
                client.evaluate_batch(table, **asked)


if __name__ == "__main__":
    checks()
    everything()
    loads()
    batches()
