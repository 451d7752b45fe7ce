"""The official server core as an offline reference: payload and user in, `Answer` out.

Everything the project promises about evaluation is a promise to agree with the package
`statsig-python-core`. This file asks that package without touching a network: specs come out of a
data store that lives in memory, logging is off, and nothing is written to stdout.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from statsig_python_core import (
    DataStore,
    DataStoreResponse,
    DynamicConfigEvaluationOptions,
    ExperimentEvaluationOptions,
    FeatureGateEvaluationOptions,
    LayerEvaluationOptions,
    ParameterStoreEvaluationOptions,
    PersistentStorage,
    Statsig,
    StatsigOptions,
    StatsigUser,
)

from answers import Answer, Kind, without_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

    from statsig_fastly.persistent_storage import StickyStorage

__all__ = [
    "NEVER_MS",
    "ForwardingStorage",
    "KeptValues",
    "PayloadStore",
    "Reference",
    "reference_user",
    "user_facts",
]

# The reference polls its data store; once per run is enough.
NEVER_MS: Final = 10**9

# Wire name of a user field and the keyword the reference's user class takes for it.
_USER_KEYWORDS: Final[dict[str, str]] = {
    "userID": "user_id",
    "email": "email",
    "ip": "ip",
    "country": "country",
    "locale": "locale",
    "appVersion": "app_version",
    "userAgent": "user_agent",
    "custom": "custom",
    "customIDs": "custom_ids",
    "privateAttributes": "private_attributes",
    "statsigEnvironment": "statsig_environment",
}


class PayloadStore(DataStore):  # type: ignore[misc]
    """Data store of the reference that holds one payload."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        # The base class bound these before this class was complete.
        self.get_fn = self.get
        self.get_bytes_fn = None
        self.set_bytes_fn = None

    def get(self, key: str) -> DataStoreResponse:  # noqa: ARG002
        return DataStoreResponse(result=self._text, time=0)

    def support_polling_updates_for(self, key: str) -> bool:  # noqa: ARG002
        return True  # otherwise the reference calls its start-up a failure


class ForwardingStorage(PersistentStorage):  # type: ignore[misc]
    """Persistent storage of the reference that hands on to any object with the three methods."""

    def __init__(self, storage: StickyStorage) -> None:
        # The base class binds these.
        self.load, self.save, self.delete = storage.load, storage.save, storage.delete
        super().__init__()


class KeptValues(PersistentStorage):  # type: ignore[misc]
    """Persistent storage of the reference, in memory.

    Attributes:
        held: Entries by name of the experiment or layer, by key.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, Any]] = {}

    def load(self, key: str) -> dict[str, Any] | None:
        return self.held.get(key)

    def save(self, key: str, config_name: str, data: dict[str, Any]) -> None:
        self.held.setdefault(key, {})[config_name] = data

    def delete(self, key: str, config_name: str) -> None:
        self.held.get(key, {}).pop(config_name, None)


def reference_user(fields: Mapping[str, Any]) -> StatsigUser:
    """The reference's user with these wire names."""
    return StatsigUser(**{_USER_KEYWORDS[name]: value for name, value in fields.items()})


def user_facts(user: StatsigUser) -> str:
    """All the reference's user tells of itself, as one text. It tells ids as text, and not what is in
    arrays and objects inside of arrays."""
    facts = {name: getattr(user, keyword) for name, keyword in _USER_KEYWORDS.items()}
    return json.dumps(facts, sort_keys=True)


class Reference:
    """One instance of the official core, holding one payload. A context manager.

    Args:
        payload: The config specs, v2 format.
        environment: Global tier, as in the options of both packages.
        global_custom_fields: As in the options of both packages.
        persistent_storage: Where sticky values go.
        options: Further options of the official package, or others than these.
        keep_values: Whether there is a persistent storage in memory, which is `kept`.
        start: False if `start` is called later.
    """

    def __init__(
        self,
        payload: bytes | str,
        environment: str | None = None,
        global_custom_fields: Mapping[str, Any] | None = None,
        persistent_storage: StickyStorage | None = None,
        *,
        start: bool = True,
        keep_values: bool = False,
        **options: Any,  # noqa: ANN401 - whatever the official package takes
    ) -> None:
        text = payload.decode() if isinstance(payload, bytes) else payload
        self.kept = KeptValues()
        settings: dict[str, Any] = {
            "data_store": PayloadStore(text),
            "disable_network": True,
            "disable_all_logging": True,
            "disable_disk_access": True,
            # The table of countries is part of the core. Once it is loaded, every instance in the process
            # uses it, also one for which it is switched off. The core waits for it only with both of these.
            "wait_for_country_lookup_init": True,
            "wait_for_user_agent_init": True,
            "environment": environment,
            "global_custom_fields": dict(global_custom_fields) if global_custom_fields else None,
            "output_log_level": "none",
            "persistent_storage": self.kept if keep_values else None,
            **({"persistent_storage": ForwardingStorage(persistent_storage)} if persistent_storage else {}),
            "specs_sync_interval_ms": NEVER_MS,
        }
        self._core = Statsig(f"secret-{uuid.uuid4().hex}", StatsigOptions(**{**settings, **options}))
        if start:
            self.start()
        self._ask = {
            "gate": self._core._INTERNAL_get_feature_gate,
            "config": self._core._INTERNAL_get_dynamic_config,
            "experiment": self._core._INTERNAL_get_experiment,
            "layer": self._core._INTERNAL_get_layer,
        }
        self._quiet = {
            "gate": FeatureGateEvaluationOptions(disable_exposure_logging=True),
            "config": DynamicConfigEvaluationOptions(disable_exposure_logging=True),
            "experiment": ExperimentEvaluationOptions(disable_exposure_logging=True),
            "layer": LayerEvaluationOptions(disable_exposure_logging=True),
        }
        self._quiet_store = ParameterStoreEvaluationOptions(disable_exposure_logging=True)

    def start(self) -> None:
        """Loads the payload."""
        self._core.initialize().wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def source(self) -> str:
        """Where the specs in use came from; `NoValues` if the payload was refused as a whole."""
        return str(self._core.get_initialize_details().source)

    @property
    def core(self) -> Statsig:
        """The official instance, for its methods that set overrides."""
        return self._core

    def names(self) -> dict[Kind, set[str]]:
        """Names of the specs that were accepted, by kind. An autotune counts as a config."""
        core = self._core
        experiments = set(core.get_experiment_list())
        return {
            "gate": set(core.get_feature_gate_list()),
            "config": set(core.get_dynamic_config_list()) | set(core.get_autotune_list()),
            "experiment": experiments,
            "layer": set(core.get_layer_list()),
        }

    def check(
        self,
        kind: Kind,
        name: str,
        user: StatsigUser | Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Evaluates one spec.

        Args:
            kind: Which of the four calls to make.
            name: Name of the spec; need not exist.
            user: What `reference_user` returned (reuse it for many checks), or a mapping of wire names.
            options: Further evaluation options by name.
        """
        if not isinstance(user, StatsigUser):
            user = reference_user(user)
        how = self._quiet[kind]
        if options:
            how = type(how)(disable_exposure_logging=True, **options)
        return _answer(kind, self._ask[kind](user, name, how))

    def persisted(
        self, kind: Kind, name: str, user: StatsigUser, values: Mapping[str, Any] | None, **enforce: bool
    ) -> Answer:
        """Evaluates an experiment or layer with values of the persistent storage.

        Args:
            kind: `experiment` or `layer`.
            name: Its name.
            user: What `reference_user` returned.
            values: What the storage holds for the user; None for a user without a decision to keep.
            enforce: `enforce_overrides` and `enforce_targeting`, as in the options.
        """
        options = (ExperimentEvaluationOptions if kind == "experiment" else LayerEvaluationOptions)(
            disable_exposure_logging=True,
            user_persisted_values=None if values is None else dict(values),
            **enforce,
        )
        return _answer(kind, self._ask[kind](user, name, options))

    def parameter(
        self, store: str, user: StatsigUser, parameter: str, getter: str, fallback: object
    ) -> object:
        """A parameter of a parameter store, by the typed getter of that name."""
        found = self._core.get_parameter_store(user, store, self._quiet_store)
        return getattr(found, getter)(parameter, fallback)

    def groups(self, experiment: str) -> Any:  # noqa: ANN401 - JSON
        """What `get_experiment_groups` says, as JSON."""
        return self._core.get_experiment_groups(experiment).to_dict()

    def group(self, experiment: str, group: str, *, by_id: bool = False) -> Answer:
        """The experiment as a group of this name, or id, has it."""
        find = self._core._INTERNAL_get_experiment_by_group_name
        if by_id:
            find = self._core._INTERNAL_get_experiment_by_group_id_advanced
        return _answer("experiment", find(experiment, group))

    def override(self, method: str, *arguments: Any) -> None:  # noqa: ANN401 - as the method takes them
        """Calls a method that makes or removes a local override."""
        getattr(self._core, method)(*arguments)

    def client_response(
        self,
        user: StatsigUser | Mapping[str, Any],
        hash_name: str | None = None,
        client_sdk_key: str | None = None,
        include_local_overrides: bool | None = None,
    ) -> str:
        """The JSON text a client SDK starts from."""
        if not isinstance(user, StatsigUser):
            user = reference_user(user)
        response = self._core.get_client_initialize_response(
            user, hash_name, client_sdk_key, include_local_overrides
        )
        return str(response)

    def close(self) -> None:
        """Stops the core's threads."""
        self._core.shutdown().wait()


def _answer(kind: Kind, raw: dict[str, Any]) -> Answer:
    details = raw["details"]
    value: Any = raw.get("value")
    return Answer(
        value=value if kind == "gate" else value or {},
        rule_id=raw.get("ruleID") or "",
        id_type=raw.get("idType") or "",
        reason=without_source(details["reason"]),
        lcut=details["lcut"],
        version=details["version"],
        group_name=raw.get("groupName"),
        allocated_experiment_name=raw.get("allocatedExperimentName"),
        secondary_exposures=tuple(
            (entry["gate"], entry["gateValue"], entry["ruleID"])
            for entry in raw.get("secondaryExposures") or ()
        ),
        is_experiment_active=kind in ("experiment", "layer") and bool(raw.get("isExperimentActive")),
    )
