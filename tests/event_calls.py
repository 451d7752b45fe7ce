"""Calls of either SDK that may send something, as programs for `recorded_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from event_project import DEEP, FULL_USER, PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from recorded_events import Program

__all__ = ["USERS", "call", "checks", "read"]

# As the constructors of both packages take them.
USERS: Final[dict[str, dict[str, Any]]] = {
    "full": FULL_USER,
    "id only": {"user_id": "u"},
    "nobody": {"user_id": ""},
    "no user id": {"custom_ids": {"stableID": "s"}},
    "empty maps": {
        "user_id": "v",
        "custom": {},
        "custom_ids": {},
        "private_attributes": {},
        "statsig_environment": {},
    },
    "empty texts": {"user_id": "w", "email": "", "ip": "", "country": "", "locale": "", "app_version": ""},
}

# The limit is 64 gates below the one that is asked for.
ASKED_DEEP: Final = ("deep 0", "deep 64", "deep 65", f"deep {DEEP - 1}")

# See the test of a gate that is nested too deeply.
ODD_CALLS: Final = [("check_gate", name) for name in (*ASKED_DEEP[2:], "group, then too deep")]

OPTIONS: Final = {
    "get_feature_gate": "FeatureGateEvaluationOptions",
    "check_gate": "FeatureGateEvaluationOptions",
    "get_dynamic_config": "DynamicConfigEvaluationOptions",
    "get_experiment": "ExperimentEvaluationOptions",
    "get_layer": "LayerEvaluationOptions",
    "get_parameter_store": "ParameterStoreEvaluationOptions",
}


def call(method: str, user: Mapping[str, Any], *arguments: Any, quiet: bool = False) -> Program:  # noqa: ANN401
    """A call of a method about a user."""

    def program(sdk: Any, client: Any) -> object:  # noqa: ANN401
        options = [getattr(sdk, OPTIONS[method])(disable_exposure_logging=True)] if quiet else []
        return getattr(client, method)(sdk.StatsigUser(**user), *arguments, *options)

    return program


def read(
    method: str,
    user: Mapping[str, Any],
    name: str,
    getter: str,
    *arguments: Any,  # noqa: ANN401
    quiet: bool = False,
) -> Program:
    """A call of a getter of what a method returns."""

    def program(sdk: Any, client: Any) -> object:  # noqa: ANN401
        found = call(method, user, name, quiet=quiet)(sdk, client)
        return getattr(found, getter)(*arguments)

    return program


def checks(document: Mapping[str, Any], user: Mapping[str, Any]) -> Iterator[tuple[str, Program]]:
    """Every call about every spec, and about some that do not exist."""
    methods = {
        "feature_gates": ("check_gate", "get_feature_gate", "manually_log_gate_exposure"),
        "dynamic_configs": (
            "get_dynamic_config",
            "get_experiment",
            "manually_log_dynamic_config_exposure",
            "manually_log_experiment_exposure",
        ),
    }
    for table, names in methods.items():
        for method in names:
            asked = [name for name in _asked(document[table]) if (method, name) not in ODD_CALLS]
            for name in (*asked, "ghost", "", "mapped ghost", "mapped nowhere", "explores"):
                yield f"{method} {name!r}", call(method, user, name)
    for name in (*document["layer_configs"], "ghost", "mapped ghost", "mapped nowhere"):
        for parameter in PARAMETERS:
            yield f"layer {name!r}, {parameter}", read("get_layer", user, name, "get", parameter)
            manual = call("manually_log_layer_parameter_exposure", user, name, parameter)
            yield f"manual layer {name!r}, {parameter}", manual


def _asked(names: Iterable[str]) -> list[str]:
    """The names without most of those that are there for their depth only."""
    return [name for name in names if not name.startswith("deep ") or name in ASKED_DEEP]
