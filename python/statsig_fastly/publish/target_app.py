"""Only what one target app gets: a payload in, a smaller one out.

A spec belongs to an app if its `targetAppIDs` name it. With those stays what they need: nested gates,
segments, holdouts, the experiments of layers, what parameter stores refer to, what config mappings lead to.
The answers of what belongs to the app are those of the whole payload with that app's id in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from statsig_fastly.errors import PayloadError
from statsig_fastly.publish.specs import POOLS, Ref, Specs, encoded, target_apps

__all__ = ["Filtered", "filter_for_app"]

_CHECKSUM_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Filtered:
    """A payload for one app.

    Attributes:
        specs: The payload.
        targeted: The specs that belong to the app.
        needed: Those that stay because others need them.
        dropped: Those that went.
    """

    specs: Specs
    targeted: tuple[Ref, ...]
    needed: tuple[Ref, ...]
    dropped: tuple[Ref, ...]


def filter_for_app(specs: Specs, app: str) -> Filtered:
    """Leaves out what an app has no use for.

    Args:
        specs: The payload.
        app: Id of the target app, as in `targetAppIDs`.

    Raises:
        PayloadError: Nothing belongs to the app: most likely its id is misspelt.
    """
    targeted = [ref for ref in specs.refs() if app in target_apps(specs.spec(ref))]
    if not targeted:
        known = sorted({str(each) for ref in specs.refs() for each in target_apps(specs.spec(ref))})
        there = f"its target apps: {', '.join(map(repr, known[:20]))}" if known else "it has no target apps"
        raise PayloadError(f"target_app: no spec of the payload belongs to {app!r}; {there}")
    roots = list(targeted)
    if isinstance(replay := specs.data.get("session_replay_info"), dict) and isinstance(
        gate := replay.get("targeting_gate"), str
    ):
        roots.append(Ref("gate", gate))
    # Of one name experiment and bandit are one thing to whoever asks, so one brings the other.
    roots += [Ref("config", ref.name) for ref in targeted if ref.pool == "bandit"]
    kept, own = specs.closure(roots), set(targeted)
    return Filtered(
        Specs.of(_without_others(specs, kept, app)),
        tuple(targeted),
        tuple(ref for ref in specs.refs() if ref in kept and ref not in own),
        tuple(ref for ref in specs.refs() if ref not in kept),
    )


def _without_others(specs: Specs, kept: set[Ref], app: str) -> dict[str, Any]:
    data: dict[str, Any] = dict(specs.data)
    for pool, name in POOLS.items():
        found = data.get(name)
        if isinstance(found, list):
            data[name] = [
                spec for spec in found if isinstance(spec, dict) and Ref(pool, str(spec.get("name"))) in kept
            ]
        elif isinstance(found, dict):
            data[name] = {key: spec for key, spec in found.items() if Ref(pool, key) in kept}
    data["app_id"] = app
    configs = {ref.name for ref in kept if ref.pool == "config"}
    if isinstance(layers := data.get("experiment_to_layer"), dict):
        data["experiment_to_layer"] = {key: layer for key, layer in layers.items() if key in configs}
    if isinstance(layers := data.get("layers"), dict):
        data["layers"] = {
            layer: [name for name in names if name in configs] if isinstance(names, list) else names
            for layer, names in layers.items()
            if Ref("layer", layer) in kept
        }
    _leave_out_mappings(data, specs, kept)
    _leave_out_conditions(data, specs)
    if isinstance(data.get("checksum"), str):
        # Clients take the same checksum for the same payload, and this is another one.
        del data["checksum"]
        data["checksum"] = sha256(encoded(data)).hexdigest()[:_CHECKSUM_DIGITS]
    return data


def _leave_out_mappings(data: dict[str, Any], specs: Specs, kept: set[Ref]) -> None:
    if not specs.mappings:
        return
    names = {ref.name for ref in kept}
    data["overrides"] = {name: mapping for name, mapping in specs.mappings.items() if name in names}
    if isinstance(rules := data.get("override_rules"), dict):
        used = {rule for name in data["overrides"] for _, rule in specs.mapping_rules(name)}
        data["override_rules"] = {name: rule for name, rule in rules.items() if name in used}


def _leave_out_conditions(data: dict[str, Any], specs: Specs) -> None:
    if not isinstance(data.get("condition_map"), dict):
        return
    left = Specs.of(data)
    rules = [rule for ref in left.refs() if (spec := left.spec(ref)) for rule in left.rules(spec)]
    override_rules = data.get("override_rules")
    if isinstance(override_rules, dict):
        rules += [rule for rule in override_rules.values() if isinstance(rule, dict)]
    used = {key for rule in rules for key in specs.condition_keys(rule)}
    data["condition_map"] = {key: value for key, value in specs.condition_map.items() if key in used}
