"""Writes the seeds: what the fuzzer starts from. Run it after a change here; its output is committed."""

import hashlib
import json
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).parent / "seeds"

TEXTS = [
    ("1.2.3-beta", "1.2"), ("1..2", "1.0.2"), ("+1. 2", "170141183460469231731687303715884105728"), ("9007199254740993", "1e3"),
    ("-.5e-3", "infinity"), ("nan", "-0"), ("2023-05-17T12:00:00Z", "2023-05-17T12:00:00.123+05:30"),
    ("2023-5-17 0:0:0", " +2023-05-17  12:00:60"), ("2024-02-29 23:59:60Z", "2023-02-29T00:00:00\u221223:59"),
    ("1684324800", "-262143-01-01 00:00:00"), ("9999999999", "9223372036854775808"), ("\u0130\u03a3", "i\u0307\u03c2"), ("\u3000a", "A"),
]  # fmt: skip


AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.71 Safari/537.36 Edg/120.0.2210.61",
    "Mozilla/5.0 (Linux; U; Android 4.4.2; en-us; SM-T530) AppleWebKit/534.30 Version/4.0 Safari/534.30 OPR/14.0.1074",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0; rv:109.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Opera/9.80 (Macintosh; Intel Mac OS X) Presto/2.12.388 Version/12.16",
    "curl/8.4.0", "-_,. ;()[]\u00e9/1,2_3.4x", "",
]  # fmt: skip


def rule(identifier: str, conditions: list[Any], value: Any, **more: Any) -> dict[str, Any]:
    plain = {"name": identifier, "id": identifier, "salt": "s", "passPercentage": 100, "idType": "userID"}
    return {**plain, "conditions": conditions, "returnValue": value, **more}


def spec(entity: str, rules: list[Any], default: Any, **more: Any) -> dict[str, Any]:
    plain = {"type": entity, "entity": entity, "salt": "x", "enabled": True, "idType": "userID"}
    return {**plain, "defaultValue": default, "rules": rules, **more}


def conditions() -> dict[str, Any]:
    """One of each kind."""
    fields: list[tuple[str, str, Any]] = [
        ("email", "any", ["a@example.com", "A"]), ("a", "array_contains_all", ["a", 1]), ("b", "eq", {"c": "d"}), ("n", "gt", "1e1"),
        ("v", "version_gte", "1.9"), ("f", "on", "2023-05-17T12:00:00.5+02:00"), ("userID", "str_matches", "(?i)^USER-\\d+$"),
        ("locale", "str_starts_with_any", ["e", ""]), ("z", "eq", None), ("userID", "in_segment_list", "list"),
    ]  # fmt: skip
    found: dict[str, Any] = {
        f"{field} {operator}": {"type": "user_field", "idType": "userID", "field": field, "operator": operator, "targetValue": target}
        for field, operator, target in fields
    }
    bucket = {"salt": "b"}
    group = {"field": "experiment", "operator": "any", "targetValue": ["A"]}
    return found | {
        "public": {"type": "public", "idType": "userID"},
        "pass": {"type": "pass_gate", "idType": "userID", "targetValue": "gate"},
        "fail": {"type": "fail_gate", "idType": "userID", "targetValue": "segment:s"},
        "bucket": {"type": "user_bucket", "idType": "userID", "operator": "lt", "targetValue": 500, "additionalValues": bucket},
        "tier": {"type": "environment_field", "idType": "", "field": "tier", "operator": "any", "targetValue": ["dev"]},
        "unit": {"type": "unit_id", "idType": "stableID", "operator": "any", "targetValue": {"s": True}},
        "now": {"type": "current_time", "idType": "", "operator": "after", "targetValue": 5},
        "app": {"type": "target_app", "idType": "", "operator": "none", "targetValue": ["app"]},
        "group": {"type": "experiment_group", "idType": "", **group},
        "browser": {"type": "ua_based", "idType": "", "field": "browser_name", "operator": "any", "targetValue": ["Mobile Safari"]},
        "place": {"type": "ip_based", "idType": "", "field": "country", "operator": "any", "targetValue": ["AU"]},
        "unknown": {"type": "phase_of_the_moon", "idType": ""},
    }


def project(*, old: bool) -> dict[str, Any]:
    """Something of everything, in the newer or the older format."""
    known = conditions()
    gates = {
        "segment:s": spec("segment", [rule(key, [key], True) for key in known if key not in ("pass", "group", "unknown")], default=False),
        "gate": spec("feature_gate", [rule("g", ["fail"], True, passPercentage=12.5)], default=False, version=3),
        "unsupported": spec("feature_gate", [rule("u", ["pass", "unknown"], True)], default=True),
    }
    experiment = [
        rule("one", ["bucket"], {"a": 1, "b": [1.5]}, groupName="A", isExperimentGroup=True),
        rule("two", ["group"], "text", groupName="B"),
    ]
    configs = {"experiment": spec("experiment", experiment, {"a": 0}, isActive=True, explicitParameters=["a"], hasSharedParams=True)}
    rules = [rule("p", ["pass"], {"c": 1}), rule("d", ["public"], {}, configDelegate="experiment")]
    layers = {
        "classic": spec("layer", rules, {"d": 4}),
        "merging": spec("layer", rules, {"d": 4}, useNewLayerEval=True),
    }
    arm = {"alpha": 0.5, "intercept": 1, "records": 9, "weightsNumerical": {"n": 2.5}, "weightsCategorical": {"locale": {"en": -1}}}
    bandit = {"salt": "c", "defaultValue": {}, "idType": "userID", "enabled": True, "version": 1, "sampleRate": 0.1, "higherIsBetter": True}
    groups = [{"id": name, "name": name, "parameterValues": {"v": name}} for name in ("x", "y")]
    parts: dict[str, Any] = {
        "has_updates": True, "time": 1, "app_id": "app", "default_environment": "dev", "experiment_to_layer": {}, "condition_map": known,
        "feature_gates": gates, "dynamic_configs": configs, "layer_configs": layers,
        "overrides": {"gate": [{"new_config_name": "unsupported", "rules": [{"rule_name": "m", "start_time": 5}]}]},
        "override_rules": {"m": rule("m", ["tier"], None)},
        "cmab_configs": {"bandit": {**bandit, "groups": groups, "config": {"x": arm}, "targetingGateName": "gate"}},
    }  # fmt: skip
    if old:
        del parts["condition_map"]
        inline = [*parts["override_rules"].values()]
        for family in ("feature_gates", "dynamic_configs", "layer_configs"):
            parts[family] = [{"name": name, **one} for name, one in parts[family].items()]
            inline += [each for one in parts[family] for each in one["rules"]]
        for each in {id(each): each for each in inline}.values():
            each["conditions"] = [known[key] for key in each["conditions"]]
    return parts


def main() -> None:
    """Writes `seeds/⟨target⟩/⟨name⟩`."""
    written: dict[str, bytes] = {f"text/{number:02}": "\n".join(pair).encode() for number, pair in enumerate(TEXTS)}
    written |= {f"user_agent/{number}": text.encode() for number, text in enumerate(AGENTS)}
    for old in (False, True):
        written[f"payload/{'v1' if old else 'v2'}"] = json.dumps(project(old=old), separators=(",", ":")).encode()
    written["payload/no_updates"] = b'{"has_updates":false}'
    for number in range(8):
        blocks = (hashlib.sha256(f"{number}/{block}".encode()).digest() for block in range(80))
        written[f"payload_user/{number}"] = b"".join(blocks)
    for name, content in written.items():
        path = SEEDS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
