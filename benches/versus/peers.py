"""The SDKs that are compared, each with the four cases in its own terms, offline.

In: whether exposures are recorded. Out: for each case the source of a check, in which `n` is the number of
the user, and what it refers to. Users come about in the ways `cases.USERS` names; equal work means: the same
attributes, the same targeting, the same shares, one parameter read, an exposure for each new user that a rule
of the case is for, whichever side they get, and nothing polled or sent meanwhile.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cases import NAMES, payload
from official_core import core_client

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PEERS", "Peer", "UnavailableError"]

FIELDS = "country='NZ', app_version='2.10.3', custom={'plan': 'pro', 'seats': 12}"


class UnavailableError(Exception):
    """A package that is not installed."""


class Recorded(list[Any]):
    """Exposures in memory, where an SDK leaves it to its user what becomes of them."""

    def forget(self) -> int:
        number = len(self)
        self.clear()
        return number


@dataclass
class Peer:
    """One SDK, ready to be asked."""

    version: str
    scope: dict[str, Any]
    # Source by how the user comes about.
    users: dict[str, str]
    # Source by case, with `{user}` where the user goes.
    checks: dict[str, str]
    close: Callable[[], object] = lambda: None
    # Throws away what was recorded. Out: how many exposures that was; none if the SDK does not show them.
    forget: Callable[[], int | None] = lambda: None

    def source(self, case: str, how: str) -> str:
        return self.checks[case].format(user=self.users[how])


def imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnavailableError(str(error)) from None


def ours(exposures: bool) -> Peer:
    import statsig_fastly

    # Nobody listens there, and nothing is sent: events are thrown away between the rounds.
    options = statsig_fastly.StatsigOptions(
        data_adapter=statsig_fastly.MemoryAdapter(payload()),
        sync_policy=statsig_fastly.SyncPolicy.manual(),
        disable_all_logging=not exposures,
        log_event_url="http://127.0.0.1:9/v1/log_event",
        event_logging_flush_interval_ms=3_600_000,
    )
    client = statsig_fastly.Statsig("secret-bench", options)
    if not client.initialize().result(10).init_success:
        raise RuntimeError(client.initialize().result())

    def forget() -> int:
        # As if they were sent: what repeats one of them is a repetition still.
        number = 0
        while client._delivery is not None and (batch := client._delivery._log.take(2000)) is not None:
            number += len(batch)
        return number

    def close() -> None:
        forget()
        client.shutdown().wait()

    names = {letter: repr(name) for letter, name in NAMES.items()}
    checks = {letter: f"statsig.check_gate({{user}}, {names[letter]})" for letter in "ABC"}
    checks["D"] = f"statsig.get_experiment({{user}}, {names['D']}).get('color', 'red')"
    return Peer(
        statsig_fastly.__version__,
        {
            "statsig": client,
            "StatsigUser": statsig_fastly.StatsigUser,
            "user": statsig_fastly.StatsigUser(
                "user-0", country="NZ", app_version="2.10.3", custom={"plan": "pro", "seats": 12}
            ),
        },
        {
            "reuse": "user",
            "fresh id": "StatsigUser(ids[n])",
            "fresh attributes": f"StatsigUser(ids[n], {FIELDS})",
        },
        checks,
        close=close,
        forget=forget,
    )


def statsig_core(exposures: bool) -> Peer:
    core = imported("statsig_python_core")
    client = core_client(payload(), logs=exposures)
    client.initialize().wait()
    names = {letter: repr(name) for letter, name in NAMES.items()}
    checks = {letter: f"statsig.check_gate({{user}}, {names[letter]})" for letter in "ABC"}
    checks["D"] = f"statsig.get_experiment({{user}}, {names['D']}).get_string('color', 'red')"
    return Peer(
        version("statsig-python-core"),
        {
            "statsig": client,
            "StatsigUser": core.StatsigUser,
            "user": core.StatsigUser(
                "user-0", country="NZ", app_version="2.10.3", custom={"plan": "pro", "seats": 12}
            ),
        },
        {
            "reuse": "user",
            "fresh id": "StatsigUser(ids[n])",
            "fresh attributes": f"StatsigUser(ids[n], {FIELDS})",
        },
        checks,
        close=lambda: client.shutdown().wait(),
    )


def growthbook(exposures: bool) -> Peer:
    module = imported("growthbook")
    condition = {
        "country": {"$in": ["NZ", "AU", "GB"]},
        "version": {"$vgte": "2.4.0"},
        "plan": {"$in": ["pro", "enterprise"]},
    }

    def gate(key: str, share: float, **targeting: Any) -> dict[str, Any]:
        # Rollouts have no exposures: what is exposed is an experiment with two sides.
        rule: dict[str, Any] = {"force": True}
        if exposures:
            rule = {"key": key, "hashAttribute": "id", "variations": [True, False]}
            rule["weights"] = [share, 1 - share]
        elif share < 1:
            rule = {"force": True, "hashAttribute": "id", "coverage": share}
        return {"defaultValue": False, "rules": [{**rule, **targeting}]}

    features = {
        "case_everybody": gate("case_everybody", 1.0),
        "case_half": gate("case_half", 0.5),
        "case_targeted": gate("case_targeted", 0.2, condition=condition),
        "case_experiment": {
            "defaultValue": "red",
            "rules": [
                {
                    "key": "case_experiment",
                    "hashAttribute": "id",
                    "variations": ["grey", "blue", "green"],
                    "weights": [0.334, 0.333, 0.333],
                }
            ],
        },
    }
    recorded = Recorded()

    def track(*exposure: Any, **more: Any) -> None:
        recorded.append((exposure, more))

    # Prepared once: as they are written they would be made anew for every user.
    prepared = module.GrowthBook(attributes={}, features=features).get_features()

    def make(attributes: str) -> str:
        arguments = ", features=prepared, on_experiment_viewed=track" if exposures else ", features=prepared"
        return f"GrowthBook(attributes={{'id': {attributes}}}{arguments})"

    attributes = "'country': 'NZ', 'version': '2.10.3', 'plan': 'pro', 'seats': 12"
    scope = {"GrowthBook": module.GrowthBook, "prepared": prepared, "track": track}
    checks = {letter: f"{{user}}.is_on({NAMES[letter]!r})" for letter in "ABC"}
    checks["D"] = f"{{user}}.get_feature_value({NAMES['D']!r}, 'red')"
    return Peer(
        version("growthbook"),
        {**scope, "user": eval(make(f"'user-0', {attributes}"), scope)},  # noqa: S307
        {
            "reuse": "user",
            "fresh id": make("ids[n]"),
            "fresh attributes": make(f"ids[n], {attributes}"),
        },
        checks,
        forget=recorded.forget,
    )


def launchdarkly(exposures: bool) -> Peer:
    client_module = imported("ldclient")
    test_data = imported("ldclient.integrations.test_data")
    config = imported("ldclient.config")
    recorded = Recorded()

    class Recorder(imported("ldclient.interfaces").EventProcessor):  # type: ignore[misc]
        def __init__(self, _config: Any) -> None: ...
        def send_event(self, event: Any) -> None:
            recorded.append(event)

        def flush(self) -> None: ...
        def stop(self) -> None: ...

    data = test_data.TestData.data_source()
    flag = data.flag
    data.update(flag("case_everybody").variation_for_all(True))
    builder = flag("case_half").variations(True, False).fallthrough_variation(0)
    data.update(builder)
    data.update(
        flag("case_targeted")
        .fallthrough_variation(False)
        .if_match("country", "NZ", "AU", "GB")
        .and_match("plan", "pro", "enterprise")
        .and_not_match("version", "2.4.0")
        .then_return(True)
    )
    data.update(flag("case_experiment").variations("grey", "blue", "green").fallthrough_variation(1))
    # The builder of flags has neither rollouts nor versions: they are put into what it made.
    weights = {"case_half": [50_000, 50_000], "case_experiment": [33_400, 33_300, 33_300]}
    for key, shares in weights.items():
        made = data._current_flags[key]
        variations = [{"variation": index, "weight": weight} for index, weight in enumerate(shares)]
        made["fallthrough"] = {"rollout": {"variations": variations}}
    rule = data._current_flags["case_targeted"]["rules"][0]
    del rule["variation"]
    rule["clauses"][-1]["op"] = "semVerLessThan"  # negated
    rule["rollout"] = {"variations": [{"variation": 0, "weight": 20_000}, {"variation": 1, "weight": 80_000}]}
    client = client_module.LDClient(
        config.Config(
            "sdk-key",
            update_processor_class=data,
            send_events=exposures,
            event_processor_class=Recorder,
            diagnostic_opt_out=True,
        )
    )
    context = client_module.Context
    attributes = ".set('country', 'NZ').set('version', '2.10.3').set('plan', 'pro').set('seats', 12).build()"
    checks = {letter: f"client.variation({NAMES[letter]!r}, {{user}}, False)" for letter in "ABC"}
    checks["D"] = f"client.variation({NAMES['D']!r}, {{user}}, 'red')"
    scope = {"client": client, "Context": context}
    builder = context.builder("user-0").set("country", "NZ").set("version", "2.10.3")
    scope["user"] = builder.set("plan", "pro").set("seats", 12).build()
    return Peer(
        version("launchdarkly-server-sdk"),
        scope,
        {
            "reuse": "user",
            "fresh id": "Context.create(ids[n])",
            "fresh attributes": f"Context.builder(ids[n]){attributes}",
        },
        checks,
        close=client.close,
        forget=recorded.forget,
    )


def eppo(exposures: bool) -> Peer:
    module = imported("eppo_client")
    config = imported("eppo_client.config")
    loggers = imported("eppo_client.assignment_logger")
    recorded = Recorded()

    class Logger(loggers.AssignmentLogger):  # type: ignore[misc, name-defined]
        def log_assignment(self, assignment: Any) -> None:
            recorded.append(assignment)

    flags = json.dumps(eppo_flags(exposures)).encode()
    configuration = module.Configuration(flags_configuration=flags)
    client = module.init(
        config.Config(
            api_key="key",
            assignment_logger=Logger(),
            initial_configuration=configuration,
            poll_interval_seconds=None,
        )
    )
    attributes = "{'country': 'NZ', 'version': '2.10.3', 'plan': 'pro', 'seats': 12}"
    scope = {
        "client": client,
        "ATTRIBUTES": {"country": "NZ", "version": "2.10.3", "plan": "pro", "seats": 12},
        "NONE": {},
    }
    checks = {
        letter: f"client.get_boolean_assignment({NAMES[letter]!r}, {{user}}, False)" for letter in "ABC"
    }
    checks["D"] = f"client.get_string_assignment({NAMES['D']!r}, {{user}}, 'red')"
    return Peer(
        version("eppo-server-sdk"),
        scope,
        {
            "reuse": "'user-0', ATTRIBUTES",
            "fresh id": "ids[n], NONE",
            "fresh attributes": f"ids[n], {attributes}",
        },
        checks,
        forget=recorded.forget,
    )


def eppo_flags(exposures: bool) -> dict[str, Any]:
    def split(variation: str, start: int, end: int, salt: str) -> dict[str, Any]:
        ranges = [{"start": start, "end": end}]
        return {"variationKey": variation, "shards": [{"salt": salt, "ranges": ranges}]}

    def flag(
        key: str, kind: str, variations: dict[str, Any], allocations: list[dict[str, Any]]
    ) -> dict[str, Any]:
        return {
            "key": key,
            "enabled": True,
            "variationType": kind,
            "variations": {name: {"key": name, "value": value} for name, value in variations.items()},
            "allocations": [{"key": "only", "doLog": exposures, **allocation} for allocation in allocations],
            "totalShards": 10_000,
        }

    # Those who do not get it are on a side, too, or they would not be exposed.
    sides = {"on": True, "off": False}
    conditions = [
        {"attribute": "country", "operator": "ONE_OF", "value": ["NZ", "AU", "GB"]},
        {"attribute": "version", "operator": "GTE", "value": "2.4.0"},
        {"attribute": "plan", "operator": "ONE_OF", "value": ["pro", "enterprise"]},
    ]
    halves = [split("on", 0, 5000, "b"), split("off", 5000, 10_000, "b")]
    fifths = [split("on", 0, 2000, "c"), split("off", 2000, 10_000, "c")]
    colors = {"grey": "grey", "blue": "blue", "green": "green"}
    thirds = [split("grey", 0, 3340, "d"), split("blue", 3340, 6670, "d"), split("green", 6670, 10_000, "d")]
    flags = [
        flag("case_everybody", "BOOLEAN", sides, [{"splits": [{"variationKey": "on", "shards": []}]}]),
        flag("case_half", "BOOLEAN", sides, [{"splits": halves}]),
        flag(
            "case_targeted",
            "BOOLEAN",
            sides,
            [{"rules": [{"conditions": conditions}], "splits": fifths}],
        ),
        flag("case_experiment", "STRING", colors, [{"splits": thirds}]),
    ]
    return {
        "createdAt": "2025-01-01T00:00:00.000Z",
        "format": "SERVER",
        "environment": {"name": "production"},
        "flags": {flag["key"]: flag for flag in flags},
    }


PEERS: dict[str, Callable[[bool], Peer]] = {
    "statsig-fastly": ours,
    "statsig-python-core": statsig_core,
    "eppo-server-sdk": eppo,
    "growthbook": growthbook,
    "launchdarkly-server-sdk": launchdarkly,
}
