"""Users, names and keys nobody would write: an answer comes, or a `TypeError` or `ValueError` that says why.

Nothing else is ever raised, whatever a user holds: no `OverflowError` for a number, no
`UnicodeEncodeError` that repeats the text, no panic.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from scripted_adapter import PATIENCE
from small_project import EVERY_TYPE, payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.sample_project import sample_project


def started(body: bytes) -> Statsig:
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(body)))
    assert statsig.initialize().result(PATIENCE).init_success
    return statsig


IN_V1 = started(payload())
IN_V2 = started(json.dumps(sample_project(1, gates=20, configs=16)).encode())
USER = StatsigUser("u-1")

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.complex_numbers()
    | st.binary(max_size=8)
    | st.text(st.characters(), max_size=8)  # with surrogates
    | st.just(object())
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(), max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ("user_id", "email", "ip", "country", "locale", "app_version", "user_agent")
MAPS = ("custom", "custom_ids", "private_attributes", "statsig_environment")


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, *MAPS, "userID", "customIDs"]), ANYTHING, max_size=4))
@example({"custom": {"huge": 10**400}})
@example({"custom": {"deep": [10**400]}})
@example({"user_id": "\ud83d"})
def test_users_of_anything(fields: dict[str, Any]) -> None:
    try:
        assert IN_V1.check_gate(fields, "staff") in (True, False)
    except Exception as error:  # noqa: BLE001 - what kinds there may be is the question
        assert isinstance(error, TypeError | ValueError)  # noqa: PT017
        assert str(error).startswith("argument '")  # noqa: PT017


ODD_TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["", "\0", "1e999", "-", "1.2.3.4.5.6", "9" * 400, "true", "2020-13-45T99:99:99Z", "{}", "[", "é" * 200]
)
ODD_ATTRIBUTES = st.dictionaries(
    st.sampled_from(["country", "plan", "flag", "company", "", "level", "beta", "é"]),
    ODD_TEXT
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.lists(ODD_TEXT | st.floats() | st.none(), max_size=4)
    | st.dictionaries(ODD_TEXT, ODD_TEXT, max_size=3),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(
    fields=st.dictionaries(st.sampled_from(FIELDS), ODD_TEXT, max_size=7),
    custom=ODD_ATTRIBUTES,
    ids=st.dictionaries(
        st.sampled_from(["companyID", "stableID", "x"]), ODD_TEXT | st.integers() | st.floats()
    ),
)
def test_whatever_a_user_holds_every_spec_has_an_answer(
    fields: dict[str, Any], custom: dict[str, Any], ids: dict[str, Any]
) -> None:
    user = StatsigUser(**fields, custom=custom, custom_ids=ids, private_attributes=custom)
    for statsig in (IN_V1, IN_V2):
        for name in statsig.get_feature_gate_list():
            assert statsig.check_gate(user, name) in (True, False)
        for name in [*statsig.get_dynamic_config_list(), *statsig.get_experiment_list()]:
            assert isinstance(statsig.get_experiment(user, name).value, dict)
        for name in statsig.get_layer_list():
            assert isinstance(statsig.get_layer(user, name).get_value(), dict)


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_any_name_is_recognized_or_not(name: str) -> None:
    for check in (IN_V1.get_feature_gate, IN_V1.get_experiment, IN_V1.get_layer):
        result = check(USER, name)
        assert result.name == name
        assert result.details.reason.startswith("Adapter(Memory):")


@given(st.text(st.characters(codec="utf-8"), max_size=50) | st.sampled_from([*EVERY_TYPE]))
def test_any_key_is_there_or_not(key: str) -> None:
    config = IN_V1.get_dynamic_config(USER, "every_type")
    assert (key in config) == (key in EVERY_TYPE)
    assert config.get(key) == EVERY_TYPE.get(key)
