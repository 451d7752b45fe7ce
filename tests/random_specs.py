"""Plain random projects, for tests that add parts of their own: no faults, mappings, bandits or circles.

In: a seed. Out: a v2 payload with users and checks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.specs import RandomSpecs
from conformance.users import random_user
from conformance.values import Values
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from answers import Kind

__all__ = ["RandomCase", "random_case"]


@dataclass(frozen=True)
class RandomCase:
    """A payload with everything needed to check it.

    Attributes:
        payload: Config specs, v2 format, as JSON text.
        specs: The same as an object.
        users: Wire-name dicts.
        checks: Kind and name of every spec, and of some that do not exist.
        environment: Global tier for the options of both engines.
        global_custom_fields: For the options of both engines.
    """

    payload: bytes
    specs: dict[str, Any]
    users: list[dict[str, Any]]
    checks: list[tuple[Kind, str]]
    environment: str | None
    global_custom_fields: dict[str, Any] | None


def random_case(seed: int, users: int = 12) -> RandomCase:
    """Makes one case; the same seed makes the same case on every Python version."""
    dice = Dice(seed)
    values = Values(dice)
    specs = RandomSpecs(dice, values, bare=True)
    fields = {"shared": values.scalar(), "f_text": values.scalar("text")}
    return RandomCase(
        payload=json.dumps(specs.payload).encode(),
        specs=specs.payload,
        users=[random_user(dice, values) for _ in range(users)],
        checks=[
            *(("gate", name) for name in specs.gate_names),
            *(("experiment", name) for name in specs.config_names),
            ("config", dice.pick(specs.config_names)),
            *(("layer", name) for name in specs.layer_names),
        ],
        environment=dice.pick((None, "staging", "Production", "")),
        global_custom_fields={name: value for name, value in fields.items() if value is not None} or None,
    )
