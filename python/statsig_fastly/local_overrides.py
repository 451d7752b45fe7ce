"""Local overrides: values an application sets itself, for tests, demonstrations and support."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from statsig_fastly._native import Evaluator

__all__ = ["LocalOverrides"]


class LocalOverrides(Evaluator):
    """The methods of `Statsig` that set a value and take it back.

    What is set goes before whatever the payload says, also where a gate is a condition of something else
    or an experiment is what a layer delegates to. The name need not exist. Such a result has the rule id
    `override` and the reason `LocalOverride:Recognized`. The kinds are independent: what is set for an
    experiment does not count when it is asked for as a dynamic config.

    `id` is the unit a value is for: a user id, or any value among a user's custom ids. Without it the value
    is for everybody who has none of their own. The user id goes before custom ids, and those before
    everybody.
    """

    def override_gate(self, gate_name: str, value: bool, id: str | None = None) -> None:
        """Sets what a gate is.

        Raises:
            TypeError: An argument has another type than the one named here.
            ValueError: A name or id cannot be encoded as UTF-8.
        """
        _expect("value", value, bool)
        self._override("gate", "gate_name", gate_name, value, id)

    def override_dynamic_config(
        self, config_name: str, value: Mapping[str, Any], id: str | None = None
    ) -> None:
        """Sets the parameters of a dynamic config.

        Raises:
            TypeError: An argument has another type than the one named here, or the value holds something
                that is not JSON.
            ValueError: The value is nested too deeply, or holds a float that is not finite or text that
                cannot be encoded as UTF-8, or a name or id is such text.
        """
        self._override("config", "config_name", config_name, _json(value), id)

    def override_experiment(
        self, experiment_name: str, value: Mapping[str, Any], id: str | None = None
    ) -> None:
        """Sets the parameters of an experiment; errors are those of `override_dynamic_config`."""
        self._override("experiment", "experiment_name", experiment_name, _json(value), id)

    def override_experiment_by_group_name(
        self, experiment_name: str, group_name: str, id: str | None = None
    ) -> None:
        """Sets the parameters of an experiment to those of its first rule with this group name.

        There are none while no rule has it. It takes the place of an `override_experiment` of the same
        name and id, and the other way round.
        """
        _expect_text("group_name", group_name)
        self._override("group", "experiment_name", experiment_name, group_name, id)

    def override_layer(self, layer_name: str, value: Mapping[str, Any], id: str | None = None) -> None:
        """Sets the parameters of a layer; errors are those of `override_dynamic_config`."""
        self._override("layer", "layer_name", layer_name, _json(value), id)

    def override_parameter_store(
        self, parameter_store_name: str, value: Mapping[str, Any], id: str | None = None
    ) -> None:
        """Sets the parameters of a parameter store; errors are those of `override_dynamic_config`.

        What has the form of a parameter in a payload (`ref_type`, `param_type` and, for example,
        `gate_name`, `pass_value` and `fail_value`) is one; anything else is a value.
        """
        self._override("parameter store", "parameter_store_name", parameter_store_name, _json(value), id)

    def remove_gate_override(self, gate_name: str, id: str | None = None) -> None:
        """Takes back what was set for a unit; without an id, all that was set for the gate."""
        self._remove("gate", "gate_name", gate_name, id)

    def remove_dynamic_config_override(self, config_name: str, id: str | None = None) -> None:
        """As `remove_gate_override`, for a dynamic config."""
        self._remove("config", "config_name", config_name, id)

    def remove_experiment_override(self, experiment_name: str, id: str | None = None) -> None:
        """As `remove_gate_override`, for an experiment, also where a group was set."""
        self._remove("experiment", "experiment_name", experiment_name, id)

    def remove_layer_override(self, layer_name: str, id: str | None = None) -> None:
        """As `remove_gate_override`, for a layer."""
        self._remove("layer", "layer_name", layer_name, id)

    def remove_parameter_store_override(self, parameter_store_name: str, id: str | None = None) -> None:
        """As `remove_gate_override`, for a parameter store."""
        self._remove("parameter store", "parameter_store_name", parameter_store_name, id)

    def remove_all_overrides(self) -> None:
        """Takes back everything that was set, of every kind."""
        self._clear_overrides()

    def _override(
        self,
        kind: Literal["gate", "config", "experiment", "group", "layer", "parameter store"],
        argument: str,
        name: str,
        value: bool | str,
        id: str | None,
    ) -> None:
        _expect_text(argument, name)
        _expect_id(id)
        self._set_override(kind, name, value, id)

    def _remove(
        self,
        kind: Literal["gate", "config", "experiment", "layer", "parameter store"],
        argument: str,
        name: str,
        id: str | None,
    ) -> None:
        _expect_text(argument, name)
        _expect_id(id)
        self._remove_override(kind, name, id)


def _expect(argument: str, value: object, kind: type, expected: str | None = None) -> None:
    if not isinstance(value, kind):
        message = f"argument '{argument}': expected {expected or kind.__name__}, got {type(value).__name__}"
        raise TypeError(message)


_UNENCODABLE: Final = "expected text that can be encoded as UTF-8, got an unpaired surrogate"


def _expect_text(argument: str, value: str, expected: str | None = None) -> None:
    _expect(argument, value, str, expected)
    try:
        value.encode()
    except UnicodeEncodeError:
        message = f"argument '{argument}': {_UNENCODABLE}"
        raise ValueError(message) from None


def _expect_id(id: str | None) -> None:
    if id is not None:
        _expect_text("id", id, "str or None")


def _json(value: object) -> str:
    if not isinstance(value, Mapping):
        message = f"argument 'value': expected a mapping, got {type(value).__name__}"
        raise TypeError(message)
    members = dict(value)
    try:
        text = json.dumps(members, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        message = f"argument 'value': {_UNENCODABLE}"
        raise ValueError(message) from None
    except RecursionError:
        message = "argument 'value': expected JSON data, but it is nested too deeply"
        raise ValueError(message) from None
    except (TypeError, ValueError) as error:
        message = f"argument 'value': expected JSON data, but {error}"
        raise type(error)(message) from None
    _expect_names(members)
    return text


def _expect_names(members: dict[Any, Any]) -> None:
    """Inside as well: JSON text would have numbers, booleans and None as text."""
    inner: list[Any] = [members]
    while inner:
        item = inner.pop()
        if isinstance(item, dict):
            for name in item:
                if not isinstance(name, str):
                    message = f"argument 'value': expected names that are str, got {type(name).__name__}"
                    raise TypeError(message)
            inner.extend(item.values())
        elif isinstance(item, list | tuple):
            inner.extend(item)
