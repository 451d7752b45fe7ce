"""What `statsig-fastly demo` does: runs the whole way once and measures it.

In: a number of users, a seed and, for tests, another project or another emulator. Out: a `DemoReport`,
see `demo_report`.

What is expected is known beforehand (shares, ids of users, rules of the sample project); nothing is
expected because the engine says so.
"""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import time
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly import (
    DynamicConfig,
    EventStats,
    ExperimentEvaluationOptions,
    FastlyDataAdapter,
    FeatureGateEvaluationOptions,
    Layer,
    Statsig,
    StatsigFastlyError,
    StatsigOptions,
    StatsigUser,
    SyncPolicy,
)
from statsig_fastly.cli.demo_report import Answer, Count, DemoReport, Explained, Share, Step, Timing, Traffic
from statsig_fastly.emulator import Emulator
from statsig_fastly.emulator.events import PATH as LOG_EVENT_PATH
from statsig_fastly.sample_project import (
    BUTTON_EXPERIMENT,
    CHECKOUT_EXPERIMENT,
    CHECKOUT_LAYER,
    PRICING_CONFIG,
    TEST_GATE,
    sample_project,
)
from statsig_fastly.transport import HttpTransport, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["collect"]

_STORE: Final = "demo-store"
_KEY: Final = "statsig-demo"
_GATE_SHARE: Final = 0.5
# Thousand buckets do not divide by three.
_GROUP_SHARES: Final = {"Control": 0.334, "Blue": 0.333, "Green": 0.333}
# The collector keeps every exposure; of more users there would be too many.
_EXPOSED_USERS: Final = 10_000
# Rounds much shorter than a slice of the scheduler, so that a busy machine spoils few of them.
_ROUNDS: Final = 51
_CHECKS_PER_ROUND: Final = 1000
_WAIT_SECONDS: Final = 30


def collect(
    users: int = 10_000,
    seed: int = 2024,
    *,
    project: dict[str, Any] | None = None,
    emulator: Emulator | None = None,
) -> DemoReport:
    """Publishes, reads, checks, syncs, changes and syncs again.

    Args:
        users: How many users to check the gate and the experiment for.
        seed: What their ids depend on.
        project: What to publish first in place of the sample project; the expectations stay those of
            the sample project.
        emulator: What to publish to in place of a plain emulator; not started yet.

    Raises:
        StatsigFastlyError: Publishing failed.
        OSError: There is no port to listen on.
    """
    sample = sample_project()
    first = sample if project is None else project
    roll = random.Random(seed).random  # noqa: S311 - made-up users, nothing secret
    ids = [f"user-{int(roll() * 10**12):012d}" for _ in range(users)]
    people = [StatsigUser(user_id) for user_id in ids]

    with (
        emulator or Emulator(tokens=(secrets.token_urlsafe(24),)) as store,
        contextlib.closing(_Wire(store)) as wire,
    ):
        steps: list[Step] = []

        def step(name: str, expected: Traffic, applied: bool | None = None, error: object = None) -> None:
            got = Traffic(*wire.taken(), applied, None if error is None else str(error))
            steps.append(Step(name, got, expected, got == expected))

        body = _encoded(first)
        metadata = f"project time {first.get('time')}"
        path = f"/resources/stores/kv/{wire.create_store(_STORE)}/keys/{_KEY}"
        wire.put(path, body, metadata)
        step("publish", Traffic(("POST", "PUT"), len(body)))

        adapter = FastlyDataAdapter(_STORE, _KEY, token=store.token, api=store.url, transport=wire)
        options = StatsigOptions(
            data_adapter=adapter,
            sync_policy=SyncPolicy.manual(),  # each look is a step of the demo
            init_timeout_ms=_WAIT_SECONDS * 1000,
            log_event_url=f"{store.url}{LOG_EVENT_PATH}",
        )
        with Statsig("secret-demo", options) as statsig:
            failure = statsig.get_initialize_details().failure_details
            step(
                "start",
                # The first GET finds the store's id.
                Traffic(("GET", "GET"), len(body), applied=True),
                statsig.is_initialized(),
                None if failure is None else failure.reason,
            )
            shares = [_gate_share(statsig, people, TEST_GATE, _GATE_SHARE), *_group_shares(statsig, people)]
            explained = _explained(statsig, sample)
            # Sending what came together so far is not to disturb the timings.
            statsig.flush().wait(_WAIT_SECONDS)
            timings = _timings(statsig, ids[:_CHECKS_PER_ROUND])

            synced = statsig.sync().result(_WAIT_SECONDS)
            step("sync, nothing new", Traffic(("HEAD",), 0, applied=False), synced.changed, synced.error)

            body = _encoded(_rolled_out(sample))
            wire.put(path, body, metadata)
            step("publish a change", Traffic(("PUT",), len(body)))
            synced = statsig.sync().result(_WAIT_SECONDS)
            expected = Traffic(("HEAD", "GET"), len(body), applied=True)
            step("sync, something new", expected, synced.changed, synced.error)
            shares.append(_gate_share(statsig, people, f"{TEST_GATE}, after the change", 1.0))

            events, deduplicated = _events(statsig, store, min(users, _EXPOSED_USERS))

    return DemoReport(
        users=users,
        seed=seed,
        store=_STORE,
        key=_KEY,
        metadata=metadata,
        gates=len(first.get("feature_gates", ())),
        configs=len(first.get("dynamic_configs", ())),
        layers=len(first.get("layer_configs", ())),
        shares=tuple(shares),
        explained=tuple(explained),
        steps=tuple(steps),
        events=events,
        deduplicated=deduplicated,
        timings=tuple(timings),
    )


class _Wire:
    """The one connection of the demo: publishes, carries the adapter's requests, and keeps count."""

    def __init__(self, store: Emulator) -> None:
        self._store = store
        self._http = HttpTransport()
        self._seen = 0
        self._received = 0

    def send(self, request: Request) -> Response:
        answer = self._http.send(request)
        if "/keys/" in request.url:
            self._received += len(answer.body)
        return answer

    def close(self) -> None:
        self._http.close()

    def create_store(self, name: str) -> str:
        """Creates a KV Store, and returns its id."""
        answer = self._publish("POST", "/resources/stores/kv", json.dumps({"name": name}).encode(), {})
        return str(json.loads(answer.body)["id"])

    def put(self, path: str, body: bytes, metadata: str) -> None:
        """Writes an item, as any publisher does."""
        self._publish("PUT", path, body, {"metadata": metadata})

    def taken(self) -> tuple[tuple[str, ...], int]:
        """Since the last call: methods of the requests, bytes of config specs in them and their answers."""
        requests = self._store.requests[self._seen :]
        sent = sum(len(request.body_bytes) for request in requests if "/keys/" in request.path)
        received, self._received = self._received, 0
        self._seen += len(requests)
        # Events are sent in the background, whenever a batch of them is full.
        methods = tuple(request.method for request in requests if request.path != LOG_EVENT_PATH)
        return methods, sent + received

    def _publish(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Response:
        headers = {"Fastly-Key": self._store.token, **headers}
        answer = self.send(Request(method=method, url=self._store.url + path, headers=headers, body=body))
        if answer.status not in {200, 201}:
            raise StatsigFastlyError(f"publishing: {method} {path} gave HTTP {answer.status}")
        return answer


def _encoded(project: dict[str, Any]) -> bytes:
    return json.dumps(project, ensure_ascii=False, separators=(",", ":")).encode()


def _rolled_out(sample: dict[str, Any]) -> dict[str, Any]:
    """The project a minute later, when somebody has set the gate to 100 %."""
    changed: dict[str, Any] = json.loads(json.dumps(sample))
    changed["feature_gates"][TEST_GATE]["rules"][0]["passPercentage"] = 100
    changed["time"] += 60_000
    changed["checksum"] = f"{changed['checksum']}-1"
    return changed


def _gate_share(statsig: Statsig, people: Sequence[StatsigUser], name: str, expected: float) -> Share:
    check, quiet = statsig.check_gate, FeatureGateEvaluationOptions(disable_exposure_logging=True)
    passed = sum(check(user, TEST_GATE) for user in people[:_EXPOSED_USERS])
    passed += sum(check(user, TEST_GATE, quiet) for user in people[_EXPOSED_USERS:])
    return Share.of(name, passed, len(people), expected)


def _group_shares(statsig: Statsig, people: Sequence[StatsigUser]) -> list[Share]:
    get, quiet = statsig.get_experiment, ExperimentEvaluationOptions(disable_exposure_logging=True)
    groups = Counter(get(user, BUTTON_EXPERIMENT).group_name for user in people[:_EXPOSED_USERS])
    groups += Counter(get(user, BUTTON_EXPERIMENT, quiet).group_name for user in people[_EXPOSED_USERS:])
    return [
        Share.of(f"{BUTTON_EXPERIMENT}: {group}", groups[group], len(people), expected)
        for group, expected in _GROUP_SHARES.items()
    ]


def _explained(statsig: Statsig, sample: dict[str, Any]) -> list[Explained]:
    """Four users whose answers differ; their ids were found by trying user-1, user-2, ..."""
    configs, layer = sample["dynamic_configs"], sample["layer_configs"][CHECKOUT_LAYER]
    for_europe = configs[PRICING_CONFIG]["rules"][1]
    in_test = next(
        rule
        for rule in configs[CHECKOUT_EXPERIMENT]["rules"]
        if rule.get("isExperimentGroup") and rule["groupName"] == "Test"
    )
    held_out = layer["rules"][0]
    default = layer["defaultValue"]["steps"]
    not_held, held = ("holiday_holdout=false",), ("holiday_holdout=true",)
    reason = "Adapter(FastlyKV):Recognized"

    french = StatsigUser("user-2", country="FR", app_version="3.1.4")
    pricing = statsig.get_dynamic_config(french, PRICING_CONFIG)
    got = _answer(pricing, "currency", None)
    expected = Answer(for_europe["returnValue"]["currency"], for_europe["id"], None, (), reason)
    found = [Explained("user-2", "in France", f"{PRICING_CONFIG}.currency", got, expected, got == expected)]
    for user, case, expected in (
        (
            "user-1",
            "in a group",
            Answer(in_test["returnValue"]["steps"], in_test["id"], "Test", not_held, reason),
        ),
        ("user-12", "held out", Answer(held_out["returnValue"]["steps"], held_out["id"], None, held, reason)),
        ("user-17", "no rule", Answer(default, "default", None, not_held, reason)),
    ):
        checkout = statsig.get_layer(StatsigUser(user), CHECKOUT_LAYER)
        got = _answer(checkout, "steps", checkout.group_name)
        found.append(Explained(user, case, f"{CHECKOUT_LAYER}.steps", got, expected, got == expected))
    return found


def _answer(result: DynamicConfig | Layer, parameter: str, group: str | None) -> Answer:
    exposures = tuple(f"{shown['gate']}={shown['gateValue']}" for shown in result.secondary_exposures)
    return Answer(result.get(parameter), result.rule_id, group, exposures, result.details.reason)


def _events(statsig: Statsig, store: Emulator, exposed_users: int) -> tuple[tuple[Count, ...], int]:
    """What the client says it sent beside what the collector got, and how many exposures were repeats."""
    statsig.flush(_WAIT_SECONDS).wait()
    said = statsig.stats().events or EventStats()
    collected = [event for request in store.log_event_requests for event in request.events]
    exposed = {
        event["user"]["userID"]
        for event in collected
        if event["eventName"] == "statsig::gate_exposure" and event["metadata"]["gate"] == TEST_GATE
    }
    counts = (
        Count.of("sent, says the client", said.sent, said.recorded),
        Count.of("got by the collector", len(collected), said.sent),
        Count.of(f"users exposed to {TEST_GATE}", len(exposed), exposed_users),
    )
    return counts, said.deduplicated


def _timings(statsig: Statsig, ids: Sequence[str]) -> list[Timing]:
    check, user = statsig.check_gate, StatsigUser(ids[0])

    def same_user() -> None:
        for _ in ids:
            check(user, TEST_GATE)

    def new_users() -> None:
        for user_id in ids:
            check(StatsigUser(user_id), TEST_GATE)

    return [
        _timing("the same StatsigUser each time", same_user, len(ids)),
        _timing("a new StatsigUser each time", new_users, len(ids)),
    ]


def _timing(name: str, run: Callable[[], None], checks: int) -> Timing:
    rounds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter_ns()
        run()
        rounds.append((time.perf_counter_ns() - started) / checks)
    return Timing(name, round(median(rounds), 1), _ROUNDS, checks)
