"""Whatever the store does, the newest good payload the client got is in use, and checks go on.

Every fault alone, and seeded random sequences of all of them, against the emulator over HTTP.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from logged import troubles
from small_project import TIME, payload
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, SyncPolicy
from statsig_fastly.emulator import Fault
from statsig_fastly.sync.look import Looker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly import SyncDetails
    from statsig_fastly.emulator import Emulator

KEY = "statsig-1"
ITEM = "/keys/statsig-1$"
STEPS = 10_000
SEEDS = 4


@dataclass
class Store:
    """The emulator with one key, a client that reads it, and what the client must serve.

    Attributes:
        served: Time of the payload that must be in use.
        good: Payloads by time, as long as they are good.
    """

    emulator: Emulator
    served: int = 0
    number: int = 0
    good: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store = self.emulator.create_kv_store("specs")
        self.publish()
        adapter = FastlyDataAdapter(
            store, KEY, token=self.emulator.token, api=self.emulator.url, read_timeout=0.1, total_timeout=0.3
        )
        options = StatsigOptions(
            data_adapter=adapter, sync_policy=SyncPolicy.manual(), disable_all_logging=True
        )
        self.statsig = Statsig("secret-key", options)
        assert self.statsig.initialize().result(30).init_success
        self.served = TIME + self.number
        self.check()

    def put(self, body: bytes, metadata: str = "") -> None:
        self.emulator.put("specs", KEY, body, metadata)

    def publish(self, number: int | None = None) -> None:
        """Publishes a good payload; an older one if told a number."""
        if number is None:
            self.number += 1
            number = self.number
        self.good[TIME + number] = payload(TIME + number, number)
        self.put(self.good[TIME + number])

    def stored_time(self) -> int | None:
        """The time of what is in the store, None if that is not good."""
        body = self.emulator.get("specs", KEY)
        return next((time for time, good in self.good.items() if good == body), None)

    def look(self) -> SyncDetails:
        looker = self.statsig._sync.looker
        assert looker is not None
        return looker.look()

    def check(self) -> None:
        """What is served is the one payload that must be, and a check never raises."""
        assert self.statsig.config_time == self.served
        config = self.statsig.get_dynamic_config("u-1", "number")
        number = self.served - TIME
        assert (config.get("a"), config.get("b"), config.get("c")) == (number, [number], {"d": number})
        assert config.rule_id == f"rule_{number}"
        assert self.statsig.check_gate("u-1", "on") is True
        assert config.details.reason == "Adapter(FastlyKV):Recognized"


@pytest.fixture
def store(emulator: Emulator) -> Iterator[Store]:
    made = Store(emulator)
    yield made
    made.statsig.shutdown().wait(30)
    emulator.clear_faults()


# Each fault alone: what a look comes to, and whether what the store has is used nevertheless

FAULTS: dict[str, tuple[Fault, str]] = {
    **{
        f"{method} {status}": (Fault(method=method, path=ITEM, status=status), "failed")
        for method in ("HEAD", "GET")
        for status in (400, 401, 403, 408, 409, 413, 429, 500, 502, 503, 504)
    },
    "HEAD refused": (Fault(method="HEAD", path=ITEM, status=405), "applied"),
    "HEAD not implemented": (Fault(method="HEAD", path=ITEM, status=501), "applied"),
    "HEAD without Generation": (
        Fault(method="HEAD", path=ITEM, drop_headers=("Generation",)),
        "applied",
    ),
    "HEAD of an older copy": (Fault(method="HEAD", path=ITEM, stale=True), "unchanged"),
    "GET without Generation": (Fault(method="GET", path=ITEM, drop_headers=("Generation",)), "applied"),
    "GET of an older copy": (Fault(method="GET", path=ITEM, stale=True), "unchanged"),
    "GET with another Generation": (Fault(method="GET", path=ITEM, headers={"Generation": "7"}), "applied"),
    "chunked": (Fault(method="GET", path=ITEM, chunked=True), "applied"),
    "reset before": (Fault(method="GET", path=ITEM, reset="before"), "failed"),
    "reset in the body": (Fault(method="GET", path=ITEM, reset="body"), "failed"),
    "truncated": (Fault(method="GET", path=ITEM, truncate=100), "failed"),
    "hangs": (Fault(method="GET", path=ITEM, delay=0.5), "failed"),
    "HEAD hangs": (Fault(method="HEAD", path=ITEM, delay=0.5), "failed"),
    "drips slowly": (Fault(method="GET", path=ITEM, drip=0.05, drip_bytes=64), "failed"),
    "an error page": (Fault.error_page(method="GET", path=ITEM), "failed"),
    "an error page that calls itself JSON": (
        Fault(method="GET", path=ITEM, body=b"<html>", headers={"Content-Type": "application/json"}),
        "failed",
    ),
    "nothing": (Fault(method="GET", path=ITEM, body=b""), "failed"),
    "JSON of something else": (Fault(method="GET", path=ITEM, body=b'{"msg":"no"}'), "refused"),
    "JSON that breaks off": (Fault(method="GET", path=ITEM, body=payload(TIME + 9)[:-1]), "refused"),
    "no updates": (Fault(method="GET", path=ITEM, body=b'{"has_updates":false}'), "no_updates"),
    "an older payload": (Fault(method="GET", path=ITEM, body=payload(TIME)), "older"),
    "redirect": (Fault.redirect("http://127.0.0.1:9/elsewhere", path=ITEM), "failed"),
    "redirect, for ever": (
        Fault.redirect("http://127.0.0.1:9/", status=308, method="GET", path=ITEM),
        "failed",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault(store: Store, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    fault, outcome = FAULTS[name]
    store.publish()
    store.emulator.fault(fault)
    details = store.look()
    assert details.outcome == outcome, details
    if outcome == "applied":
        store.served = TIME + store.number
    assert (details.error is None) == (outcome not in {"failed", "refused"})
    store.check()
    assert len(troubles(caplog)) == (0 if outcome in {"applied", "unchanged"} else 1)
    # The fault was the only one: the next look uses what is there.
    assert store.emulator.pending_faults == []
    assert store.look().outcome == ("unchanged" if outcome == "applied" else "applied")
    store.served = TIME + store.number
    store.check()
    counts = store.statsig.stats().sync
    assert counts.looks == 3
    assert getattr(counts, outcome) == (2 if outcome == "applied" else 1)


BAD = {
    "cut off": payload(TIME + 50)[:-30],
    "no JSON": b"{not json",
    "a list": b"[]",
    "nothing": b"",
    "a page": b"<!doctype html><title>503</title>",
    "no time": json.dumps({"has_updates": True, "feature_gates": [], "dynamic_configs": []}).encode(),
    "time is text": payload(TIME + 50).replace(str(TIME + 50).encode(), b'"now"', 1),
    "no updates": b'{"has_updates":false}',
}


@pytest.mark.parametrize("name", BAD)
def test_a_value_that_stays_bad(store: Store, name: str, caplog: pytest.LogCaptureFixture) -> None:
    store.put(BAD[name])
    looks = 70
    outcomes = {store.look().outcome for _ in range(looks)}
    assert len(outcomes) == 1
    assert outcomes <= {"failed", "refused", "no_updates"}
    store.check()
    # It is said once, and it is not downloaded at every look once it is known.
    assert len(troubles(caplog)) == 1
    gets = [request.method for request in store.emulator.requests if request.path.endswith(KEY)].count("GET")
    if outcomes != {"failed"}:
        assert gets - 1 <= 9
    store.publish()
    assert store.look().outcome == "applied"
    store.served = TIME + store.number
    store.check()


def test_a_value_that_stays_older(store: Store) -> None:
    store.publish(0)
    assert {store.look().outcome for _ in range(70)} == {"older"}
    store.check()
    gets = [request.method for request in store.emulator.requests if request.path.endswith(KEY)].count("GET")
    assert gets - 1 <= 9
    assert store.statsig.stats().sync.older == 70
    store.publish()
    assert store.look().outcome == "applied"


def test_a_generation_that_flips(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    store.publish()
    assert store.look().outcome == "applied"
    store.served = TIME + store.number
    store.emulator.fault(Fault(path=ITEM, stale=True, every=2, times=None))
    outcomes = {store.look().outcome for _ in range(100)}
    store.check()
    assert outcomes <= {"unchanged", "older"}
    assert len(troubles(caplog)) <= 1


def test_a_value_that_was_damaged_twice_on_its_way_is_used_soon(store: Store) -> None:
    store.publish()
    damaged = payload(TIME + store.number, store.number)[:-5] + b"     "
    store.emulator.fault(Fault(method="GET", path=ITEM, body=damaged, times=2))
    outcomes = [store.look().outcome for _ in range(4)]
    assert outcomes[:2] == ["refused", "refused"]
    assert outcomes[-1] == "applied"


# Random sequences

Act = "Callable[[Store, random.Random], None]"


def _bad(store: Store, chance: random.Random) -> None:
    store.put(chance.choice(list(BAD.values())))


def _older(store: Store, chance: random.Random) -> None:
    store.publish(chance.randrange(store.number + 1))


def _fault(store: Store, chance: random.Random) -> None:
    quick = [name for name in FAULTS if "hangs" not in name and "drips" not in name]
    name = chance.choice(quick if chance.random() < 0.99 else list(FAULTS))
    store.emulator.fault(FAULTS[name][0])


def _deleted(store: Store, _: random.Random) -> None:
    store.emulator.delete("specs", KEY)


ACTS: list[tuple[Any, int]] = [
    (lambda store, _: store.publish(), 30),
    (_older, 8),
    (_bad, 8),
    (_fault, 50),
    (_deleted, 2),
    (lambda store, _: store.emulator.clear_faults(), 10),
]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_sequences(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    looker = store.statsig._sync.looker
    assert isinstance(looker, Looker)
    delivered: list[int] = []
    in_use = store.statsig._sync.in_use
    original = in_use.put

    def put(body: bytes, **more: Any) -> Any:  # noqa: ANN401 - as it is
        # What came out of the adapter: the newest good one of these must be in use.
        time = next((time for time, good in store.good.items() if good == body), None)
        if time is not None:
            delivered.append(time)
        return original(body, **more)

    in_use.put = put  # type: ignore[method-assign]
    outcomes: dict[str, int] = {}
    for step in range(STEPS // SEEDS):
        if step % 50 == 0:
            old = [time for time in store.good if time < TIME + store.number - 20]
            for time in old:
                del store.good[time]
        chance.choices([act for act, _ in ACTS], [weight for _, weight in ACTS])[0](store, chance)
        undisturbed = not store.emulator.pending_faults
        delivered.clear()
        details = store.look()
        outcomes[details.outcome] = outcomes.get(details.outcome, 0) + 1
        store.served = max([store.served, *delivered])
        store.check()
        if undisturbed and looker._refused is None and (stored := store.stored_time()) is not None:
            # Nothing went wrong and nothing was remembered as bad: what is in the store has been seen.
            assert store.served >= stored
    assert set(outcomes) == {"applied", "unchanged", "older", "no_updates", "refused", "failed"}
    stats = store.statsig.stats().sync
    assert stats.looks == 1 + sum(outcomes.values())
    assert all(getattr(stats, name) == count for name, count in outcomes.items() if name != "applied")
    # The store is well again: the newest payload is in use with the next look.
    store.emulator.clear_faults()
    store.publish()
    assert store.look().outcome == "applied"
    store.served = TIME + store.number
    store.check()
    assert store.statsig.stats().sync.failing == 0
