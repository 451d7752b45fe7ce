"""Exposures are sampled as in the official core.

Which exposures a rate keeps depends on a hash of the core's own, so that rates here keep everything or, but
for one in a million million, nothing; of a rate between, the share is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from conformance.build import PUBLIC, condition, config, gate, layer, nested, payload, rule
from recorded_events import Both

if TYPE_CHECKING:
    from recorded_events import Program

NEVER: Final = 10**12
GATES: Final = ("all", "none", "zero", "no rate", "default", "disabled", "missed", "unsupported", "forwarded")
NESTED: Final = (*GATES, "segment:s", "holdout", "ghost", "mapped")


def project(**sdk_configs: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Rules with every kind of rate, alone and below others."""

    def sampled(name: str, *conditions: str, rate: int | None = NEVER, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        return rule(name, conditions, **more, **({} if rate is None else {"samplingRate": rate}))

    gates = {
        "all": gate([sampled("ra", rate=1)]),
        "none": gate([sampled("rn")]),
        "zero": gate([sampled("rz", rate=0)]),
        "no rate": gate([rule("rr")]),
        "default": gate([sampled("rd", "no")]),
        "disabled": gate([], enabled=False),
        "missed": gate([sampled("rm", share=0)]),
        "unsupported": gate([sampled("ru", "odd")]),
        "forwarded": gate([sampled("rf")], forwardAllExposures=True),
        "segment:s": gate([rule("rs")], entity="segment"),
        "holdout": gate([rule("rh", share=0)], entity="holdout"),
        "mapped": gate([sampled("r")]),
        "empty id": gate([sampled("")]),
        "twice": gate([sampled("r", "to no rate", "to no rate")]),
        "deeply": gate([sampled("r", "to in no rate")]),
        "group": gate([sampled("r", "group")]),
        **{f"in {name}": gate([sampled("r", f"to {name}")]) for name in NESTED},
        **{f"in {name}, no": gate([sampled("r", f"to {name}", "no")]) for name in NESTED},
    }
    configs = {
        **{f"config {name}": config([sampled("r", f"to {name}", value={"a": 1})]) for name in GATES},
        "grouped": config(
            [sampled("e", value={"a": 1}, groupName="G", isExperimentGroup=True)],
            entity="experiment", isActive=True,
        ),
        "experiment": config(
            [sampled("e", value={"a": 1}, groupName="G", isExperimentGroup=True)],
            entity="experiment", isActive=True, explicitParameters=["a"],
        ),
        "free": config(
            [rule("f", value={"a": 1})], entity="experiment", isActive=True, explicitParameters=["a"]
        ),
        "forwarded config": config([sampled("f", value={"a": 1})], forwardAllExposures=True),
        "to sampled": config([rule("d", configDelegate="experiment")]),
        "to free": config([sampled("d", configDelegate="free")]),
        "to default": config([sampled("d", configDelegate="unmatched")]),
        "unmatched": config([sampled("u", "no")]),
    }  # fmt: skip
    delegates = ("experiment", "free", "forwarded config", "to free", "unmatched", "ghost")
    layers = {
        "own": layer([sampled("l", value={"a": 1})]),
        "own all": layer([sampled("l", value={"a": 1}, rate=1)]),
        "own free": layer([rule("l", value={"a": 1})]),
        "forwarded layer": layer([sampled("l", value={"a": 1})], forwardAllExposures=True),
        "default layer": layer([sampled("l", "no")]),
        **{f"sampled to {name}": layer([sampled("l", configDelegate=name)]) for name in delegates},
        **{f"free to {name}": layer([rule("l", configDelegate=name)]) for name in delegates},
        **{
            f"new to {name}": layer(
                [
                    sampled("l1", configDelegate=name),
                    rule("l2", value={"b": 1}),
                    sampled("l3", value={"z": 1}),
                ],
                useNewLayerEval=True,
            )
            for name in delegates
        },
    }
    conditions = {
        "yes": PUBLIC,
        "no": condition("user_field", "any", ["nobody"], field="email"),
        "odd": {"type": "bogus", "idType": "userID"},
        "group": condition("experiment_group", "any", ["G"], field="grouped"),
        "to in no rate": nested("in no rate"),
        **{f"to {name}": nested(name) for name in NESTED},
    }
    mapping = [{"new_config_name": "no rate", "rules": [{"rule_name": "over"}]}]
    return payload(
        gates,
        configs,
        layers,
        conditions,
        sdk_configs=sdk_configs,
        override_rules={"over": rule("over")},
        overrides={"mapped": mapping},
    )


def asking(users: int) -> Program:
    """Everything there is, for so many users."""
    document = project()

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for number in range(users):
            user = sdk.StatsigUser(f"user {number}")
            for name in (*document["feature_gates"], "ghost"):
                client.check_gate(user, name)
            for name in (*document["dynamic_configs"], "ghost config"):
                if name != "grouped":
                    client.get_experiment(user, name)
            for name in (*document["layer_configs"], "ghost layer"):
                found = client.get_layer(user, name)
                for parameter in ("a", "b", "z"):
                    found.get(parameter)
                client.manually_log_layer_parameter_exposure(user, name, "m")

    return program


@pytest.mark.parametrize("special", [None, 1, NEVER])
@pytest.mark.parametrize("mode", ["on", "shadow", "none"])
def test_rates(mode: str, special: int | None) -> None:
    more = {} if special is None else {"special_case_sampling_rate": special}
    with Both(project(sampling_mode=mode, **more)) as both:
        events = both.same(asking(3))
    told = [event["statsigMetadata"] for event in events]
    dropped = sum(metadata.get("shadowLogged") == "dropped" for metadata in told)
    logged = sum(metadata.get("shadowLogged") == "logged" for metadata in told)
    assert (dropped > 0, logged > 0) == (mode == "shadow", mode != "none")


@pytest.mark.parametrize("mode", ["ON", "Shadow", "", "off", "x", 1, True, None, [], {"a": 1}])
def test_odd_modes(mode: object) -> None:
    with Both(project(sampling_mode=mode)) as both:
        events = both.same(asking(2))
    assert all(event["statsigMetadata"] == {} for event in events)


@pytest.mark.parametrize("mode", ["on", "shadow"])
@pytest.mark.parametrize(
    "special",
    [
        0,
        -1,
        1.0,
        1.5,
        0.5,
        1e12,
        1e300,
        2**63,
        2**64 - 1,
        2**64,
        "1",
        str(NEVER),
        "x",
        "",
        True,
        None,
        [1],
        {},
    ],
)
def test_odd_special_rates(special: object, mode: str) -> None:
    with Both(project(sampling_mode=mode, special_case_sampling_rate=special)) as both:
        both.same(asking(2))


@pytest.mark.parametrize("mode", ["on", "shadow"])
@pytest.mark.parametrize("rate", [2, 10])
def test_the_share_that_is_kept(mode: str, rate: int) -> None:
    users = 1500
    rolled = gate([rule("r", samplingRate=rate)])

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for number in range(users):
            client.check_gate(sdk.StatsigUser(f"user {number}"), "g")

    with Both(payload({"g": rolled}, sdk_configs={"sampling_mode": mode})) as both:
        shares = []
        for events in both.run(program):
            assert mode == "on" or len(events) == users
            kept = [event for event in events if event["statsigMetadata"].get("shadowLogged") != "dropped"]
            # The first of its rule is not chosen.
            assert kept[0]["statsigMetadata"] == {}
            told = {"samplingRate": rate, "samplingMode": mode, "shadowLogged": "logged"}
            assert all(event["statsigMetadata"] == told for event in kept[1:])
            shares.append(len(kept))
    # Ours is the same in every run; the band is 6 standard deviations of a fair choice.
    deviation = (users / rate * (1 - 1 / rate)) ** 0.5
    assert all(abs(share - users / rate) < 6 * deviation for share in shares), shares
