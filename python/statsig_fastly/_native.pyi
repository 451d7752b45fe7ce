"""The Rust core: users, results and the evaluator behind `Statsig`."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar, final, overload, type_check_only

from typing_extensions import Self, disjoint_base

__all__ = [
    "DynamicConfig",
    "DynamicConfigEvaluationOptions",
    "EvaluatedBatch",
    "EvaluationDetails",
    "Evaluator",
    "EventBatch",
    "EventLog",
    "Experiment",
    "ExperimentEvaluationOptions",
    "ExperimentGroup",
    "ExperimentGroupsResult",
    "FeatureGate",
    "FeatureGateEvaluationOptions",
    "Layer",
    "LayerEvaluationOptions",
    "ParameterStore",
    "ParameterStoreEvaluationOptions",
    "StatsigUser",
    "__version__",
    "_load_countries",
    "parse_user_agent",
    "storage_key",
]

__version__: str

_T = TypeVar("_T")
_Scalar: TypeAlias = str | int | float | bool | None
# Lists and mappings may hold further ones; type checkers are not asked to follow.
_Attribute: TypeAlias = _Scalar | Sequence[Any] | Mapping[str, Any]
_OverrideKind: TypeAlias = Literal["gate", "config", "experiment", "group", "layer", "parameter store"]
_User: TypeAlias = StatsigUser | str | Mapping[str, Any]

@type_check_only
class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...

@type_check_only
class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: Any = None) -> Any: ...

_ArrowTable: TypeAlias = _ArrowStream | _ArrowArray

@type_check_only
class _Everything(TypedDict):
    feature_gates: dict[str, FeatureGate]
    dynamic_configs: dict[str, DynamicConfig]
    experiments: dict[str, Experiment]
    layers: dict[str, Layer]

@final
class StatsigUser:
    """Whom a check is about.

    Converted once, when it is made: keep it for all checks of a request. A user never changes; `replace`
    makes another one. Users are equal if all they hold is, can be pickled with their private
    attributes, and show how many of those they have, not which, in their `repr`.

    A check also takes a plain `str` (a user id) or a mapping with the names used here or those of the
    payload (`userID`, `customIDs`, `appVersion` and so on).

    Args:
        user_id: The id most gates and experiments are rolled out by. None is the same as `""`.
        email: For conditions on `email`.
        ip: For conditions on `ip` and, where no country is given, on the country of that address.
        country: ISO 3166-1 alpha-2 code for conditions on `country`, of the user or of the address.
        locale: For conditions on `locale`.
        app_version: Dotted numbers for conditions on `appVersion`.
        user_agent: For conditions on `userAgent`.
        custom: Attributes of your own by name. Integers beyond 64 bits count as floats.
        custom_ids: Ids of further kinds by id type, such as `{"companyID": "c-17"}`.
        private_attributes: Like `custom`, for conditions only: they never leave the process.
        statsig_environment: The user's own environment, such as `{"tier": "staging"}`; it goes before
            `StatsigOptions.environment`.

    Raises:
        TypeError: An argument or a value in a mapping has a type that no condition could look at.
    """

    def __new__(
        cls,
        user_id: str | None = None,
        email: str | None = None,
        ip: str | None = None,
        country: str | None = None,
        locale: str | None = None,
        app_version: str | None = None,
        user_agent: str | None = None,
        custom: Mapping[str, _Attribute] | None = None,
        custom_ids: Mapping[str, _Scalar] | None = None,
        private_attributes: Mapping[str, _Attribute] | None = None,
        statsig_environment: Mapping[str, _Scalar] | None = None,
    ) -> Self: ...
    @property
    def user_id(self) -> str:
        """The user id; `""` if none was given."""

    @property
    def email(self) -> str | None: ...
    @property
    def ip(self) -> str | None: ...
    @property
    def country(self) -> str | None: ...
    @property
    def locale(self) -> str | None: ...
    @property
    def app_version(self) -> str | None: ...
    @property
    def user_agent(self) -> str | None: ...
    @property
    def custom(self) -> dict[str, Any] | None:
        """A copy of the attributes; None if none were given."""

    @property
    def custom_ids(self) -> dict[str, Any] | None:
        """A copy of the further ids; None if none were given."""

    @property
    def private_attributes(self) -> dict[str, Any] | None:
        """A copy of the private attributes; None if none were given."""

    @property
    def statsig_environment(self) -> dict[str, Any] | None:
        """A copy of the user's environment; None if none was given."""

    def replace(self, **changes: Any) -> StatsigUser:
        """A user like this one but for the arguments given, which are those of the constructor."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[StatsigUser], tuple[Any, ...]]: ...

@final
class EvaluatedBatch:
    """What gates and experiments come to for many users: a table for anything that takes Arrow.

    `polars.DataFrame(batch)`, `pyarrow.table(batch)` and a query of duckdb all read it without a copy. It has
    a column for each name, in the order asked for, gates first. Of a gate that is a struct of `value` (bool)
    and `rule_id`; of an experiment a struct of `value` (its parameters as JSON), `rule_id` and `group`. Texts
    are dictionary-encoded.
    """

    def __len__(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """The columns, as the Arrow PyCapsule interface has it."""

@final
class EvaluationDetails:
    """Why a result is what it is.

    Attributes:
        reason: `⟨source⟩:Recognized`, `:Unrecognized` (no such spec) or `:Unsupported` (a condition is
            of a kind that is not evaluated); `Uninitialized` and `NoValues` where nothing is loaded;
            `Persisted` for a result that was kept for the unit;
            `Error:…` where gates and delegates are nested too deeply; `LocalOverride:Recognized` for
            what the application set itself; `⟨source⟩:Recognized:IdListInMemory` where an ID list was
            looked at; `CountryLookupNotLoaded:Recognized` where the country of an IP address was wanted
            and no table of them is loaded. The source is `Adapter(⟨name⟩)` or `Bootstrap`.
        lcut: When the project was last changed, in ms since the epoch; None if nothing is loaded, or if the
            check failed because things are nested too deeply.
        received_at: When the payload was taken, in ms since the epoch; None if nothing is loaded.
        version: The spec's version, if it has one.
    """

    @property
    def reason(self) -> str: ...
    @property
    def lcut(self) -> int | None: ...
    @property
    def received_at(self) -> int | None: ...
    @property
    def version(self) -> int | None: ...
    def to_dict(self) -> dict[str, Any]:
        """The four attributes by name."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@type_check_only
class _Result:
    """What all results have."""

    @property
    def name(self) -> str:
        """The name that was asked for."""

    @property
    def rule_id(self) -> str:
        """The rule that decided: `default` or `disabled` where none matched, `""` where none was asked."""

    @property
    def id_type(self) -> str:
        """The spec's id type, such as `userID`; `""` if there is no such spec."""

    @property
    def details(self) -> EvaluationDetails:
        """Why the result is what it is."""

    def get_name(self) -> str:
        """The same as `name`."""

    def get_rule_id(self) -> str:
        """The same as `rule_id`."""

    def get_id_type(self) -> str:
        """The same as `id_type`."""

    def get_evaluation_details(self) -> EvaluationDetails:
        """The same as `details`."""

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-like data, in the official package's shape."""

    def __eq__(self, other: object, /) -> bool:
        """Compares all but `details`: when and from where the payload came does not matter."""

@final
class FeatureGate(_Result):
    """The result of a gate check. It is true where the gate is."""

    @property
    def value(self) -> bool:
        """Whether the user passes."""

    def __bool__(self) -> bool: ...

@type_check_only
class _Parameters(_Result):
    """What results with parameters have.

    Values belong to the caller: changing one changes no later result.
    """

    @overload
    def get(self, param_name: str, fallback: None = None) -> Any: ...
    @overload
    def get(self, param_name: str, fallback: _T) -> _T:
        """A parameter.

        Args:
            param_name: Its name.
            fallback: What to return if there is no parameter of that name, or, unless it is None, if
                the parameter's type is another: str, bool, int, float, list and dict all differ.
        """

    @overload
    def get_typed(self, param_name: str, fallback: None = None) -> Any: ...
    @overload
    def get_typed(self, param_name: str, fallback: _T) -> _T:
        """The same as `get`."""

    def get_string(self, param_name: str, fallback: _T) -> str | _T:
        """The parameter if it is a string, else the fallback."""

    def get_integer(self, param_name: str, fallback: _T) -> int | _T:
        """The parameter if it is a whole number, else the fallback. A boolean is not a number."""

    def get_float(self, param_name: str, fallback: _T) -> float | _T:
        """The parameter as a float if it is a number, else the fallback. A boolean is not a number.

        A fallback that is an int becomes a float.
        """

    def get_bool(self, param_name: str, fallback: _T) -> bool | _T:
        """The parameter if it is a boolean, else the fallback."""

    def get_array(self, param_name: str, fallback: _T) -> list[Any] | _T:
        """The parameter if it is an array, else the fallback."""

    def get_object(self, param_name: str, fallback: _T) -> dict[str, Any] | _T:
        """The parameter if it is an object, else the fallback."""

    def get_value(self) -> dict[str, Any]:
        """All parameters, in a dict of the caller's own."""

    @property
    def secondary_exposures(self) -> list[dict[str, str]]:
        """Gates that were met on the way, in order, each with `gate`, `gateValue` and `ruleID`."""

    def __getitem__(self, key: str, /) -> Any:
        """The parameter; raises KeyError if there is none of that name."""

    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]:
        """Names of the parameters."""

@final
class DynamicConfig(_Parameters):
    """The result of a dynamic config."""

    @property
    def value(self) -> dict[str, Any]:
        """All parameters, in a dict of the caller's own."""

@final
class Experiment(_Parameters):
    """The result of an experiment."""

    @property
    def value(self) -> dict[str, Any]:
        """All parameters, in a dict of the caller's own."""

    @property
    def group_name(self) -> str | None:
        """The user's group; None outside every group."""

    def get_group_name(self) -> str | None:
        """The same as `group_name`."""

    @property
    def is_experiment_active(self) -> bool:
        """Whether the experiment is running."""

@final
class Layer(_Parameters):
    """The result of a layer."""

    @property
    def group_name(self) -> str | None:
        """The user's group in the experiment that applies; None outside every group."""

    def get_group_name(self) -> str | None:
        """The same as `group_name`."""

    @property
    def allocated_experiment_name(self) -> str | None:
        """The experiment the values come from; None if they are the layer's own."""

    @property
    def is_experiment_active(self) -> bool:
        """Whether that experiment is running."""

    @property
    def explicit_parameters(self) -> list[str]:
        """The parameters that experiment sets itself."""

    @property
    def undelegated_secondary_exposures(self) -> list[dict[str, str]] | None:
        """The exposures that count for parameters the experiment does not set."""

@final
class ParameterStore:
    """The parameters of a store for one user.

    A parameter is a value of the store itself, one of two values by a gate, or a parameter of a dynamic
    config, experiment or layer. Nothing is kept: each read is a check against what is loaded and
    overridden at that time.

    Every getter returns the fallback if there is no such store or parameter, or if it is of another
    type, and raises TypeError if the fallback is. Values belong to the caller.
    """

    @property
    def name(self) -> str:
        """The name that was asked for."""

    def get_string(self, param_name: str, fallback: str) -> str:
        """The parameter if it is a string, else the fallback."""

    def get_float(self, param_name: str, fallback: float) -> float:
        """The parameter as a float if it is a number, else the fallback as a float.

        A boolean is not a number.
        """

    def get_integer(self, param_name: str, fallback: int) -> int:
        """The parameter if it is a whole number from -2^63 to 2^63-1, else the fallback.

        A boolean is not a number.
        """

    def get_bool(self, param_name: str, fallback: bool) -> bool:
        """The parameter if it is a boolean, else the fallback."""

    def get_array(self, param_name: str, fallback: list[Any]) -> list[Any]:
        """The parameter if it is an array, else the fallback."""

    def get_map(self, param_name: str, fallback: dict[str, Any]) -> dict[str, Any]:
        """The parameter if it is an object, else the fallback."""

@final
class ExperimentGroup:
    """A group of an experiment."""

    @property
    def group_name(self) -> str:
        """Its name; `""` if it has none."""

    @property
    def rule_id(self) -> str:
        """The id of its rule."""

    @property
    def id_type(self) -> str:
        """The id type of its rule, such as `userID`."""

    @property
    def return_value(self) -> dict[str, Any]:
        """Its parameters, in a dict of the caller's own."""

    def to_dict(self) -> dict[str, Any]:
        """The four attributes by name."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class ExperimentGroupsResult:
    """The groups of an experiment, and whether it is running."""

    @property
    def is_experiment_active(self) -> bool | None:
        """Whether the experiment is running; None if there is no experiment of that name."""

    @property
    def groups(self) -> list[ExperimentGroup]:
        """The groups, in the order of the experiment's rules, in a list of the caller's own."""

    def to_dict(self) -> dict[str, Any]:
        """Both attributes by name, the groups as dicts."""

    def __eq__(self, other: object, /) -> bool: ...

@type_check_only
class _EvaluationOptions:
    """What the options of all checks have.

    Args:
        disable_exposure_logging: True if the check is not to count as an exposure.

    Raises:
        TypeError: It is no bool.
    """

    def __new__(cls, disable_exposure_logging: bool = False) -> Self: ...
    @property
    def disable_exposure_logging(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class FeatureGateEvaluationOptions(_EvaluationOptions):
    """How one gate check is to behave."""

@final
class DynamicConfigEvaluationOptions(_EvaluationOptions):
    """How one dynamic config check is to behave."""

@type_check_only
class _StickyEvaluationOptions:
    """What the options of experiment and layer checks have.

    Those with `user_persisted_values` are unhashable. They can be pickled.

    Args:
        disable_exposure_logging: True if the check is not to count as an exposure.
        user_persisted_values: Results that were kept for the unit, by the name of the experiment or
            layer. It counts only with `StatsigOptions.persistent_storage`. An entry that cannot be read is
            logged and left out.
        enforce_overrides: True if the live result counts for those whom a rule of the experiment with an
            id that ends in `override` puts into a group.
        enforce_targeting: True if the live result counts for those whom the experiment's targeting rules
            leave out.

    Raises:
        TypeError: An argument has the wrong type.
    """

    def __new__(
        cls,
        disable_exposure_logging: bool = False,
        user_persisted_values: Mapping[str, Mapping[str, Any]] | None = None,
        enforce_overrides: bool = False,
        enforce_targeting: bool = False,
    ) -> Self: ...
    @property
    def disable_exposure_logging(self) -> bool: ...
    @property
    def user_persisted_values(self) -> dict[str, Any] | None: ...
    @property
    def enforce_overrides(self) -> bool: ...
    @property
    def enforce_targeting(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]: ...

@final
class ExperimentEvaluationOptions(_StickyEvaluationOptions):
    """How one experiment check is to behave."""

@final
class LayerEvaluationOptions(_StickyEvaluationOptions):
    """How one layer check is to behave."""

@final
class ParameterStoreEvaluationOptions(_EvaluationOptions):
    """How the checks behind a parameter store are to behave."""

@type_check_only
class _StorageCalls(Protocol):
    """Where results are kept and removed. What these raise reaches the check."""

    def save(self, key: str, name: str, data: Any, /) -> object: ...
    def delete(self, key: str, name: str, /) -> object: ...
    def refuse(self, name: str, problem: str, /) -> object: ...

def storage_key(user: _User, id_type: str) -> str | None:
    """`⟨id⟩:⟨id type⟩`, under which results of a user are kept; None if the user has no such id."""

@disjoint_base
class Evaluator:
    """A ruleset and the checks against it; `Statsig` adds where the ruleset comes from.

    Every check takes the user as a `StatsigUser`, a `str` (a user id) or a mapping, and raises
    TypeError for arguments of the wrong type. A name that does not exist is no error: the result is the
    default, and its reason says so.
    """

    def __new__(
        cls,
        environment: str | None = None,
        global_custom_fields: Mapping[str, _Attribute] | None = None,
        disable_country_lookup: bool = False,
        id_lists: Mapping[str, Collection[str]] | None = None,
        storage: _StorageCalls | None = None,
        events: EventLog | None = None,
        disable_exposure_logging: bool = False,
    ) -> Self: ...
    def __init_subclass__(cls, *, quick_calls: bool = False) -> None: ...
    @property
    def is_ready(self) -> bool:
        """True if a ruleset is loaded, so that checks have answers."""

    @property
    def config_time(self) -> int | None:
        """When the project in use was last changed, in ms since the epoch; None if nothing is loaded."""

    def check_gate(self, user: _User, name: str, options: FeatureGateEvaluationOptions | None = None) -> bool:
        """Whether the user passes a gate."""

    def check_gates(
        self, user: _User, names: Iterable[str], options: FeatureGateEvaluationOptions | None = None
    ) -> dict[str, bool]:
        """Whether the user passes each of the gates, by name. The user is converted once."""

    def evaluate_all(self, user: _User) -> _Everything:
        """What the user gets of everything in the project, by kind and name. Nothing of it is logged.

        Gates are without segments and holdouts; experiments are with autotunes. Results are those of the
        single checks, but for sticky values, which are not looked at. Empty while nothing is loaded.
        """

    def evaluate_batch(
        self,
        table: _ArrowTable,
        *,
        gates: Sequence[str] = (),
        experiments: Sequence[str] = (),
        threads: int | None = None,
    ) -> EvaluatedBatch:
        """What the users in the rows of a table get: the same as by single checks, without sticky values.

        It does not hold the GIL while it evaluates, and shares the rows out among threads of its own. Nothing
        is logged.

        Args:
            table: Anything with `__arrow_c_stream__` or `__arrow_c_array__`: a table or data frame of
                pyarrow, polars, duckdb and others. Columns are called as the arguments of `StatsigUser`, or
                as in a payload. Those of maps (`custom`, `custom_ids`, `private_attributes`,
                `statsig_environment`) are structs, or one column for each attribute, called `custom.plan` and
                so on. What is null is not given.
            gates: Names of gates.
            experiments: Names of experiments or dynamic configs.
            threads: How many threads at most; None: one for each core.

        Returns:
            A column for each name.

        Raises:
            TypeError: `table` is no table.
            ValueError: A column is none of a user's, or has a type that no condition could look at.
        """

    def get_feature_gate(
        self, user: _User, name: str, options: FeatureGateEvaluationOptions | None = None
    ) -> FeatureGate:
        """Whether the user passes a gate, and why."""

    def get_dynamic_config(
        self, user: _User, name: str, options: DynamicConfigEvaluationOptions | None = None
    ) -> DynamicConfig:
        """The parameters a dynamic config has for the user."""

    def get_experiment(
        self, user: _User, name: str, options: ExperimentEvaluationOptions | None = None
    ) -> Experiment:
        """The user's group in an experiment, and its parameters."""

    def get_layer(self, user: _User, name: str, options: LayerEvaluationOptions | None = None) -> Layer:
        """The parameters of a layer, from the experiment in it that the user is part of."""

    def manually_log_gate_exposure(self, user: _User, name: str) -> None:
        """Exposes a gate without asking for it, unless the same was exposed within the last minute."""

    def manually_log_dynamic_config_exposure(self, user: _User, name: str) -> None:
        """Exposes a dynamic config without asking for it, as `manually_log_gate_exposure` does a gate."""

    def manually_log_experiment_exposure(self, user: _User, name: str) -> None:
        """Exposes an experiment without asking for it, as `manually_log_gate_exposure` does a gate."""

    def manually_log_layer_parameter_exposure(self, user: _User, name: str, param_name: str) -> None:
        """Exposes a parameter of a layer without reading it, also if there is no such parameter."""

    def log_event(
        self,
        user: _User,
        event_name: str,
        value: str | float | None = None,
        metadata: Mapping[str, _Attribute] | None = None,
    ) -> None:
        """Takes in an event of the application's own. It never waits, and is never de-duplicated.

        Args:
            user: Whom it is about. Private attributes are not sent.
            event_name: What happened, such as `"purchase"`.
            value: A number, which is sent as a float (`nan` as null), or text.
            metadata: More about it, as JSON data; integers beyond 64 bits count as floats.
        """

    def identify(self, user: _User) -> None:
        """Takes in what is known of a user, as an event `statsig::identify`."""

    @property
    def _session(self) -> str:
        """A UUID made with the evaluator."""

    def get_client_initialize_response(
        self,
        user: _User,
        hash: str | None = None,  # noqa: A002 - the official name
        client_sdk_key: str | None = None,
        include_local_overrides: bool | None = None,
    ) -> str:
        """What a client SDK starts from: everything the user gets, as JSON.

        It holds the user's attributes, but of the private ones only a hash over all of them, and no
        segments and holdouts. Nothing in it counts as an exposure. While nothing is loaded it is a response
        without specs. If a spec is nested too deeply, the whole response says `"has_updates": false`.

        Args:
            user: Whom it is for.
            hash: How names are written: `"sha256"`, `"none"`, and anything else for `"djb2"`.
            client_sdk_key: The client SDK's own key. What the project does not have for that key's app
                is left out.
            include_local_overrides: Whether what the application set with `override_…` counts.
        """

    def get_parameter_store(
        self, user: _User, name: str, options: ParameterStoreEvaluationOptions | None = None
    ) -> ParameterStore:
        """The parameters of a store for the user, who is read now and kept."""

    def get_experiment_groups(self, experiment_name: str) -> ExperimentGroupsResult:
        """The groups of an experiment, and whether it is running. Overrides do not count."""

    def get_experiment_by_group_name(self, experiment_name: str, group_name: str) -> Experiment:
        """What an experiment or dynamic config gives by its first rule with this group name.

        Nothing is evaluated, and overrides do not count. The reason is `⟨source⟩:Unrecognized` if there is
        no such rule.
        """

    def get_experiment_by_group_id_advanced(self, experiment_name: str, group_id: str) -> Experiment:
        """As `get_experiment_by_group_name`, by the id of the rule."""

    def get_parameter_store_list(self) -> list[str]:
        """Names of all parameter stores of the payload, in no particular order."""

    def get_feature_gate_list(self) -> list[str]:
        """Names of all gates, without segments and holdouts."""

    def get_dynamic_config_list(self) -> list[str]:
        """Names of all dynamic configs, without experiments and autotunes."""

    def get_experiment_list(self) -> list[str]:
        """Names of all experiments."""

    def get_autotune_list(self) -> list[str]:
        """Names of all autotunes."""

    def get_layer_list(self) -> list[str]:
        """Names of all layers."""

    def _load(self, payload: bytes, source: str) -> Literal["applied", "older", "unchanged", "no updates"]:
        """Compiles a payload and, unless it is older than the one in use, puts it in its place.

        If it looks at the country of an IP address, the table of countries is loaded first.

        Raises:
            PayloadError: The payload cannot be used; the one in use stays.
        """

    def _explain(
        self,
        user: _User,
        name: str,
        kind: Literal["gate", "config", "experiment", "layer"] | None,
        show_private: bool,
    ) -> tuple[str, EvaluationDetails]:
        """How a check is evaluated, as JSON, and the details of its result.

        Raises:
            ValueError: The kind is unknown.
        """

    def _set_override(self, kind: _OverrideKind, name: str, value: bool | str, unit: str | None) -> None:
        """Sets a bool for a gate, the text of a JSON object for the others, or the name of a group.

        Raises:
            ValueError: The kind is unknown, or the text is not a JSON object.
        """

    def _remove_override(
        self,
        kind: Literal["gate", "config", "experiment", "layer", "parameter store"],
        name: str,
        unit: str | None,
    ) -> None:
        """Removes what is set for a unit, or all that is set under the name.

        Raises:
            ValueError: The kind is unknown.
        """

    def _clear_overrides(self) -> None:
        """Removes all that is set."""

    def _set_id_list(self, name: str, lines: bytes) -> bool:
        """Puts a list in place of the one of that name.

        Args:
            name: As conditions name it.
            lines: What its file says: lines of `+` or `-` and the first eight characters of the base64 of the
                SHA-256 of a unit id. Others change nothing.

        Returns:
            False, and nothing is changed, if that is no such file: it starts with neither `+` nor `-`.
        """

    def _extend_id_list(self, name: str, lines: bytes) -> bool:
        """Makes further changes to a list; a list that does not exist starts empty.

        Args:
            name: As conditions name it.
            lines: As for `_set_id_list`.

        Returns:
            As `_set_id_list`.
        """

    def _drop_id_list(self, name: str) -> None:
        """Takes a list away."""

    def _on_look_due(self, listener: Callable[[], object]) -> None:
        """Sets who is told by the check that notices that it is time to look for something newer."""

    def _look_after(self, ms: int | None) -> None:
        """Has the first check tell that comes in `ms` or later, and then one each second; None: none."""

    def _mark_started(self) -> None:
        """From here on checks with nothing loaded have the reason `NoValues`."""

    def _issues(self) -> list[tuple[Literal["gate", "config", "layer"], str, str]]:
        """Faults of the payload in use, such as specs left out: kind and name of the spec, fault."""

def parse_user_agent(user_agent: str, /) -> tuple[str, str, str, str] | None:
    """What `ua_based` conditions see in a user agent, which is what the official core's built-in parser sees.

    Returns:
        `os_name`, `os_version`, `browser_name` and `browser_version`: names are `Other` and versions `0.0.0`
        where the text does not tell. None if it is longer than 1000 bytes: then all four are null.
    """

def _load_countries(table: bytes) -> None:
    """Reads the table of countries for all clients of the process; a further one changes nothing.

    Raises:
        ValueError: It cannot be read.
    """

@final
class EventLog:
    """Events that wait to be sent: exposures of one evaluator, and events of the application.

    An exposure that says the same as one within `dedupe_ms` before (spec, rule, value, user id and custom
    ids) is left out. Exposures are sampled as the payload's `sdk_configs` say.

    Args:
        batch_size: How many events are sent at a time.
        capacity: How many wait at most; of more, the oldest are dropped and counted.
        dedupe_ms: For how long an exposure is not repeated, in ms, where the payload does not say
            (`exposure_dedupe_ttl_ms` in `sdk_configs`).
        dedupe_keys: How many exposures are remembered for that; of more, the oldest are forgotten.

    Raises:
        ValueError: There is no room for one batch.
    """

    def __new__(cls, *, batch_size: int, capacity: int, dedupe_ms: int, dedupe_keys: int) -> Self: ...
    def on_waiting(self, notify: Callable[[bool], object] | None) -> None:
        """Sets who is told that events wait.

        It is called with False when the log stops being empty, and with True when a batch has come together,
        in the thread that records. An `Exception` that it raises is reported, and goes no further. Anything
        else, such as what a signal handler raises meanwhile, reaches whoever records. After either, or if it
        returns False, the next event calls it again.
        """

    def take(self, limit: int) -> EventBatch | None:
        """Takes at most `limit` events, oldest first; None if none wait.

        The last brings one event more: how often what was checked without an exposure
        (`statsig::non_exposed_checks`).
        """

    def clear(self) -> None:
        """Forgets what waits, what was seen, and all counts: a forked child's events are its parent's."""

    def __len__(self) -> int: ...
    @property
    def counts(self) -> dict[str, int]:
        """What became of events so far, as of one moment.

        `recorded` events, of which `overflowed` were dropped because too many waited, and `waiting` are
        there; exposures that were no events, because they were `deduplicated` or `sampled_out`; and
        `uncounted_checks`, whose names were too many for the event that counts checks.
        """

@final
class EventBatch:
    """Events to be sent: an iterator of their JSON in pieces of about 64 KiB, with commas between events."""

    def __len__(self) -> int:
        """How many events it began with."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...
