"""Publishing to stores that fail, lag behind, hold something else already, or fill up."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from publishers import KEY, STORE, TickingClock, config_store, kv_store, padded, publisher
from small_project import TIME, payload
from statsig_fastly import AdapterError, FastlyDataAdapter
from statsig_fastly.chunks import Manifest, split
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.publish.directory_store import DirectoryStore
from statsig_fastly.publish.metadata import METADATA_BYTES, ValueMetadata
from statsig_fastly.publish.refused import PublishRefusedError
from statsig_fastly.publish.store import ABSENT, Conflict
from statsig_fastly.publish.stored import look

if TYPE_CHECKING:
    from pathlib import Path

    from statsig_fastly.publish.store import Store


@pytest.fixture(params=["kv", "config", "directory"])
def store(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> Store:
    """Each kind of store there is."""
    if request.param == "kv":
        return kv_store(emulator)
    return config_store(emulator) if request.param == "config" else DirectoryStore(tmp_path / "store")


def without_specs(time: int) -> bytes:
    """A payload that is small enough for every store."""
    specs: dict[str, list[object]] = {"feature_gates": [], "dynamic_configs": [], "layer_configs": []}
    return json.dumps({"has_updates": True, "time": time, **specs}).encode()


# What every store does


def test_items_are_written_listed_and_deleted(store: Store) -> None:
    assert store.head("a") is None
    assert store.read("a") is None
    store.write("a", b"one", None, replaces=ABSENT)
    with pytest.raises(Conflict):
        store.write("a", b"two", None, replaces=ABSENT)
    first = store.read("a")
    assert first is not None
    assert (first.value, first.metadata) == (b"one", None)
    store.write("a", b"two", None, replaces=first.version)
    with pytest.raises(Conflict):
        store.write("a", b"three", None, replaces=first.version)
    with pytest.raises(Conflict):
        store.delete("a", version=first.version)
    store.write_many({"b.c": b"1", "b/d": b"2", ".e": b"3"})
    assert {entry.key for entry in store.entries("b")} == {"b.c", "b/d"}
    assert {entry.key for entry in store.entries("")} == {"a", "b.c", "b/d", ".e"}
    store.delete("a")
    store.delete("a")
    assert store.read("a") is None


def test_metadata_are_those_of_the_value(store: Store) -> None:
    metadata = ValueMetadata(1, sha256(b"v").hexdigest(), 2, "0" * 64, 3, "plain", 4, app="é;=x", hold=7)
    store.write("a", b"v", metadata.text)
    head = store.head("a")
    assert head is not None
    assert ValueMetadata.parse(head.metadata) == metadata
    store.write("a", b"w", None)
    head = store.head("a")
    assert head is not None
    assert ValueMetadata.parse(head.metadata) is None


def test_metadata_never_are_too_long() -> None:
    longest = ValueMetadata(
        2**63, "f" * 64, 10**9, "f" * 64, 10**9, "brotli+chunks", 2**43, "é" * 999, 2**63, "f" * 16
    )
    assert len(longest.text.encode()) <= METADATA_BYTES
    assert longest.text.isascii()
    assert ValueMetadata.parse("lcut=1;sha256=x") is None
    assert ValueMetadata.parse(None) is None


def test_publish_history_and_rollback(store: Store) -> None:
    clock = TickingClock()
    own = publisher(store, clock, keep=3)
    for number in range(5):
        assert own.publish(payload(TIME + number, number)).outcome == "published"
        clock.wait(1)
    versions = own.versions.all()
    assert [version.metadata.time for version in versions] == [TIME + 4, TIME + 3, TIME + 2]
    report = own.roll_back(versions[2].id)
    assert (report.time, report.previous_time) == (TIME + 2, TIME + 4)
    stored = own.look()
    assert stored.hold == TIME + 4
    back = store.read(KEY)
    assert back is not None
    assert back.value == own.versions.read(versions[2]).value
    with pytest.raises(PublishRefusedError, match="rolled back") as refused:
        own.publish(payload(TIME + 4, 4))
    assert refused.value.why == "held"
    assert own.publish(payload(TIME + 5, 5)).outcome == "published"


def test_only_what_was_published_is_kept_and_what_a_killed_publisher_did_not_keep_is(store: Store) -> None:
    clock = TickingClock()
    own = publisher(store, clock, keep=3)
    publisher(store, clock, keep=0).publish(payload())  # as if killed before it could keep it
    assert own.versions.all() == []
    own.publish(payload(TIME + 1, 2))
    assert [version.metadata.time for version in own.versions.all()] == [TIME + 1, TIME]
    with pytest.raises(PublishRefusedError):
        own.publish(payload(TIME - 1, 3))
    assert [version.metadata.time for version in own.versions.all()] == [TIME + 1, TIME]
    assert own.roll_back().time == TIME


def test_going_back_passes_over_what_was_rolled_back(store: Store) -> None:
    clock = TickingClock()
    own = publisher(store, clock)
    good, better, bad, worse = (payload(TIME + number, number) for number in range(4))

    def publish(body: bytes) -> None:
        clock.wait(1)
        assert own.publish(body).outcome == "published"

    for body in (good, better, bad):
        publish(body)
    clock.wait(1)
    assert own.roll_back().time == TIME + 1
    publish(worse)
    # To what was in use before it, which is not what was published last before it.
    assert own.roll_back().time == TIME + 1
    # And further back, where that is no better.
    assert own.roll_back().time == TIME
    with pytest.raises(AdapterError, match="before the current one"):
        own.roll_back()
    assert len(own.versions.all()) == 4


def test_going_back_from_a_version_with_a_newer_time_goes_further_back(store: Store) -> None:
    clock = TickingClock()
    own = publisher(store, clock)
    for number in range(3):
        clock.wait(1)
        own.publish(payload(TIME + number, number))
    clock.wait(1)
    assert own.roll_back(restamp=True).time == TIME + 3
    assert own.roll_back().time == TIME


def test_what_was_in_use_before_is_kept_longer_than_what_was_rolled_back(store: Store) -> None:
    clock = TickingClock()
    own = publisher(store, clock, keep=2)
    for number in range(2):
        clock.wait(1)
        own.publish(payload(TIME + number, number))
    own.roll_back()
    clock.wait(1)
    own.publish(payload(TIME + 2, 2))
    assert [version.metadata.time for version in own.versions.all()] == [TIME + 2, TIME]


def test_going_back_deletes_no_versions(store: Store) -> None:
    clock = TickingClock()
    own = publisher(store, clock, keep=9)
    for number in range(4):
        clock.wait(1)
        own.publish(payload(TIME + number, number))
    publisher(store, clock, keep=2).roll_back()
    assert len(own.versions.all()) == 4


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("kind", ["kv", "config"])
def test_chunks_go_also_where_nothing_is_made_of_chunks_any_more(kind: str, keep: int) -> None:
    clock = TickingClock()
    with Emulator(clock=clock) as emulator:
        store = kv_store(emulator, clock) if kind == "kv" else config_store(emulator, clock)
        publisher(store, clock, chunking="always", keep=keep).publish(payload())
        assert list(store.entries("chunk."))
        own = publisher(store, clock, keep=keep)
        own.publish(without_specs(TIME + 1))
        clock.wait(1)
        own.publish(without_specs(TIME + 2))
        assert list(store.entries("chunk."))  # somebody may be reading them
        clock.wait(3600)
        own.publish(without_specs(TIME + 3))
        assert list(store.entries("chunk.")) == []


@pytest.mark.parametrize("kind", ["kv", "config"])
def test_chunks_that_are_lost_are_put_back(emulator: Emulator, kind: str) -> None:
    clock = TickingClock()
    store = kv_store(emulator) if kind == "kv" else config_store(emulator)
    own = publisher(store, clock, chunking="always")
    for number in range(2):
        own.publish(payload(TIME + number, number))
        clock.wait(1)
    own.roll_back()
    assert own.publish(payload(TIME, 0)).outcome == "unchanged"
    manifest = Manifest.parse(getattr(store.read(KEY), "value", b""), "")
    assert manifest is not None
    chunks = manifest.chunk_keys(KEY).values()
    store.delete_many(chunks)
    report = own.publish(payload(TIME, 0))
    assert (report.outcome, report.chunks_written) == ("published", len(chunks))
    assert look(store, KEY, whole=True).payload == payload(TIME, 0)
    # It is still what was gone back to.
    assert own.look().hold == TIME + 1
    assert own.publish(payload(TIME, 0)).outcome == "unchanged"


def test_a_key_that_starts_like_another_has_versions_of_its_own(store: Store) -> None:
    from statsig_fastly.publish.versions import Versions

    metadata = ValueMetadata(1, sha256(b"v").hexdigest(), 2, "0" * 64, 3, "plain", 4)
    Versions(store, "a.b").keep(b"v", metadata)
    assert Versions(store, "a").prune(0, metadata) == []
    assert [version.metadata for version in Versions(store, "a.b").all()] == [metadata]


# KV Stores


def test_what_is_there_already_is_one_small_request(emulator: Emulator) -> None:
    own = publisher(kv_store(emulator))
    own.publish(payload())
    emulator.take_requests()
    assert own.publish(payload()).outcome == "unchanged"
    assert [request.method for request in emulator.take_requests()] == ["HEAD"]


def test_statsigs_own_push_is_recognised_without_metadata(emulator: Emulator) -> None:
    store = kv_store(emulator)
    emulator.put(STORE, KEY, payload())
    assert publisher(store).publish(payload()).outcome == "unchanged"
    with pytest.raises(PublishRefusedError, match="newer payload"):
        publisher(store).publish(payload(TIME - 1))


@pytest.mark.parametrize(
    ("fault", "least"),
    [
        (Fault(method="PUT", status=429), 1.0),
        (Fault(method="PUT", status=429, headers={"Retry-After": "7"}), 7.0),
        (Fault(method="PUT", status=503, times=3), 1.0),
        (Fault(method="PUT", reset="before"), 1.0),
        (Fault(method="PUT", reset="before", after=True), 1.0),
        (Fault(method="GET", path="/keys/statsig", truncate=100), 1.0),
        (
            Fault(
                method="GET", path="/keys/statsig", status=200, body=b"<html>", drop_headers=("Generation",)
            ),
            0.0,
        ),
    ],
)
def test_failures_that_may_pass_are_waited_out(emulator: Emulator, fault: Fault, least: float) -> None:
    clock = TickingClock()
    emulator.create_kv_store(STORE)
    emulator.fault(fault)
    assert publisher(kv_store(emulator, clock), clock, keep=0).publish(payload()).outcome in {
        "published",
        "unchanged",
    }
    assert emulator.get(STORE, KEY) == payload()
    assert max([0.0, *clock.waits]) >= least
    assert emulator.pending_faults == []


def test_a_write_whose_answer_was_lost_is_published_and_not_unchanged(emulator: Emulator) -> None:
    own = publisher(kv_store(emulator))
    emulator.fault(Fault(method="PUT", path="/keys/statsig", reset="before", after=True))
    report = own.publish(payload())
    assert (report.outcome, report.attempts) == ("published", 1)
    assert len(own.versions.all()) == 1


def test_failures_that_stay_are_an_error_after_some_attempts(emulator: Emulator) -> None:
    own = publisher(kv_store(emulator))
    emulator.fault(Fault(method="PUT", status=503, times=None))
    with pytest.raises(AdapterError, match="HTTP 503"):
        own.publish(payload())
    assert emulator.keys(STORE) == []
    assert sum(request.method == "PUT" for request in emulator.requests) == 6


def test_a_token_that_may_only_read_is_refused_at_once(emulator: Emulator) -> None:
    own = publisher(kv_store(emulator))
    emulator.fault(Fault(method="PUT", status=403))
    with pytest.raises(AdapterError, match="HTTP 403"):
        own.publish(payload())


def test_one_write_a_second_is_kept_to() -> None:
    clock = TickingClock()
    with Emulator(write_interval=1.0, clock=clock) as strict:
        own = publisher(kv_store(strict, clock), clock, keep=0)
        for number in range(5):
            own.publish(payload(TIME + number))
        # None of them was refused for coming too early: it waited.
        assert sum(request.method == "PUT" for request in strict.requests) == 5
        assert clock.now >= 1_760_000_000 + 4


def test_reads_that_are_behind_are_waited_for() -> None:
    clock = TickingClock()
    with Emulator(propagation=0.9, clock=clock) as slow:
        own = publisher(kv_store(slow, clock), clock, keep=0)
        assert own.publish(payload()).outcome == "published"
        assert own.publish(payload(TIME + 1, 2)).outcome == "published"
        assert sum(clock.waits) >= 1.5


def test_reads_that_are_behind_never_lead_to_an_older_payload() -> None:
    clock = TickingClock()
    with Emulator(propagation=30.0, clock=clock) as slow:
        store = kv_store(slow, clock)
        slow.put(STORE, KEY, payload(TIME))
        store.write(KEY, payload(TIME + 9), None)  # not to be seen for half a minute
        with pytest.raises((PublishRefusedError, AdapterError)):
            publisher(store, clock, keep=0).publish(payload(TIME + 1))
        assert slow.get(STORE, KEY) == payload(TIME + 9)


def test_a_head_that_is_refused_is_a_get() -> None:
    with Emulator(head_supported=False) as plain:
        own = publisher(kv_store(plain))
        assert own.publish(payload()).outcome == "published"
        assert own.publish(payload()).outcome == "unchanged"


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"<html>", b"\x00" * 100, b'{"statsig_fastly":"chunks/9"}', split(payload(), KEY)[0].value),
        *(b'{"cut": ', b'{"no": "payload"}', b'{"has_updates": false}', b"\x1f\x8b cut"),
    ],
)
def test_what_is_no_payload_is_replaced(emulator: Emulator, garbage: bytes) -> None:
    store = kv_store(emulator)
    emulator.put(STORE, KEY, garbage)
    assert publisher(store, max_flips=0.0).publish(payload()).outcome == "published"
    assert emulator.get(STORE, KEY) == payload()


def test_compressed_values_are_read_by_the_adapter(emulator: Emulator) -> None:
    for number, how in enumerate(("gzip", "zstd", "brotli")):
        report = publisher(kv_store(emulator), compression=how).publish(payload(TIME + number))
        assert report.encoding == how
        assert report.stored_size < report.size / 3
        adapter = FastlyDataAdapter(STORE, KEY, token=emulator.token, api=emulator.url)
        found = adapter.fetch()
        adapter.close()
        assert found is not None
        assert found.body == payload(TIME + number)
    # The same text is the same value every time.
    assert (
        publisher(kv_store(emulator), compression="brotli").publish(payload(TIME + 2)).outcome == "unchanged"
    )
    assert publisher(kv_store(emulator)).publish(payload(TIME + 2)).outcome == "published"


def test_what_was_compressed_by_others_is_compared_by_what_is_in_it(emulator: Emulator) -> None:
    store = kv_store(emulator)
    emulator.put(STORE, KEY, gzip.compress(payload(TIME + 1)))
    with pytest.raises(PublishRefusedError, match="newer payload"):
        publisher(store).publish(payload())


def newer_metadata(body: bytes, time: int) -> str:
    digest = sha256(body).hexdigest()
    return ValueMetadata(time, digest, 1, digest, len(body), "plain", 1).text


def test_something_newer_that_came_right_after_is_no_failure(emulator: Emulator) -> None:
    newer = payload(TIME + 9)

    def progress(step: str, _done: int, _all: int) -> None:
        if step == "verify":
            emulator.put(STORE, KEY, newer, newer_metadata(newer, TIME + 9))

    assert publisher(kv_store(emulator), None, progress, keep=0).publish(payload()).outcome == "superseded"
    assert emulator.get(STORE, KEY) == newer


def test_something_else_that_came_right_after_is_one(emulator: Emulator) -> None:
    def progress(step: str, _done: int, _all: int) -> None:
        if step == "verify":
            emulator.put(STORE, KEY, b"something else")

    with pytest.raises(AdapterError, match="20 s after it was written, something else is read there"):
        publisher(kv_store(emulator), None, progress, keep=0).publish(payload())


def test_somebody_who_writes_all_the_time_is_an_error_in_the_end(emulator: Emulator) -> None:
    """Each time between the look and the write."""
    clock = TickingClock()
    store = kv_store(emulator)
    body = payload(TIME - 1)
    emulator.put(STORE, KEY, body)

    def progress(step: str, _done: int, _all: int) -> None:
        if step == "write":
            emulator.put(STORE, KEY, body)

    with pytest.raises(AdapterError, match="somebody else wrote to it 30 times in a row") as failed:
        publisher(store, clock, progress, keep=0).publish(payload())
    assert failed.value.retryable
    assert emulator.get(STORE, KEY) == body


# Chunks


def chunk_keys(emulator: Emulator) -> set[str]:
    return {key for key in emulator.keys(STORE) if key.startswith("chunk.")}


def in_use(emulator: Emulator, key: str = KEY) -> set[str]:
    manifest = Manifest.parse(emulator.get(STORE, key) or b"", "test")
    assert manifest is not None
    return set(manifest.chunk_keys(KEY).values())


def test_old_chunks_go_once_nobody_can_need_them() -> None:
    clock = TickingClock()
    with Emulator(clock=clock) as timed:
        own = publisher(kv_store(timed, clock, largest=8_000), clock, keep=1)
        own.publish(padded(50_000, TIME, 1))
        first = in_use(timed)
        clock.wait(10)
        own.publish(padded(50_000, TIME + 1, 2))
        assert first <= chunk_keys(timed)  # somebody may be reading them
        clock.wait(3600)
        own.publish(padded(50_000, TIME + 2, 3))
        second = in_use(timed)
        assert second <= chunk_keys(timed)
        assert not (first - second) & chunk_keys(timed)
        clock.wait(3600)
        own.publish(padded(50_000, TIME + 3, 4))
        assert second <= chunk_keys(timed)  # in use until just now
        clock.wait(3600)
        own.publish(padded(50_000, TIME + 4, 5))
        assert chunk_keys(timed) > in_use(timed)
        assert not (second - in_use(timed)) & chunk_keys(timed)


def test_kept_versions_keep_their_chunks() -> None:
    clock = TickingClock()
    with Emulator(clock=clock) as timed:
        own = publisher(kv_store(timed, clock, largest=8_000), clock, keep=4)
        for number in range(4):
            own.publish(padded(50_000, TIME + number, number))
            clock.wait(3600)
        oldest = own.versions.all()[-1]
        own.roll_back(oldest.id)
        assert own.look().time == TIME
        adapter = FastlyDataAdapter(STORE, KEY, token=timed.token, api=timed.url)
        found = adapter.fetch()
        adapter.close()
        assert found is not None
        assert found.body == padded(50_000, TIME, 0)


def test_chunks_that_have_not_changed_are_not_written_again(emulator: Emulator) -> None:
    own = publisher(config_store(emulator), keep=0)
    first = own.publish(padded(80_000, TIME, 1))
    again = own.publish(padded(80_000, TIME + 1, 2))
    assert first.chunks_written == first.chunks
    assert again.chunks_written < again.chunks / 2


def test_chunks_that_another_publisher_tidied_away_are_put_back(emulator: Emulator) -> None:
    """Its tidying came between the chunks of this one and the look at them."""
    store = kv_store(emulator, largest=8_000)
    clock = TickingClock()
    gone: list[str] = []

    def progress(step: str, _done: int, _all: int) -> None:
        if step == "verify" and not gone:
            gone.append(min(chunk_keys(emulator)))
            emulator.delete(STORE, gone[0])

    report = publisher(store, clock, progress, keep=0).publish(padded(50_000))
    assert report.outcome == "published"
    assert gone[0] in chunk_keys(emulator)


def test_what_a_store_cannot_hold_is_refused_before_anything_is_written(emulator: Emulator) -> None:
    with pytest.raises(PublishRefusedError, match="there is room for") as refused:
        publisher(config_store(emulator)).publish(padded(2_500_000))
    assert refused.value.why == "too large"
    assert emulator.config_items(STORE) == {}
    with pytest.raises(PublishRefusedError, match="bytes, and KV store 'specs'"):
        publisher(kv_store(emulator, largest=5_000), chunking="never").publish(payload())


def test_a_config_store_never_holds_more_than_it_can(emulator: Emulator) -> None:
    own = publisher(config_store(emulator), keep=2)
    for number in range(4):
        own.publish(padded(500_000, TIME + number, number))
    assert len(emulator.config_items(STORE)) <= 500


def test_versions_that_cannot_be_tidied_are_a_warning(emulator: Emulator) -> None:
    own = publisher(kv_store(emulator), keep=1)
    own.publish(payload())
    emulator.fault(Fault(method="DELETE", status=403))
    report = own.publish(payload(TIME + 1, 2))
    assert report.outcome == "published"
    assert "are left for the next time" in str(report.warnings[-1])
    assert [warning.text for warning in own.publish(payload(TIME + 2, 3)).warnings if not warning.spec] == []
    assert len(own.versions.all()) == 1


# Other places


def test_a_manifest_in_which_nothing_can_be_changed_is_left_alone(tmp_path: Path) -> None:
    from statsig_fastly.publish.toml_store import TomlStore

    manifest = tmp_path / "fastly.toml"
    for text in (
        '[local_server.kv_stores]\nspecs = [{ key = "statsig-1", data = "{}" }]\n',
        '[local_server.kv_stores]\nspecs = [{ key = "other", data = "{}" }]\n',
    ):
        manifest.write_text(text)
        with pytest.raises(AdapterError, match=r"give it a file|add \{ key"):
            publisher(TomlStore(manifest, "specs", tmp_path), keep=0).publish(payload())
        assert manifest.read_text() == text


def test_the_target_app_is_in_the_metadata_and_filters(emulator: Emulator) -> None:
    data: dict[str, Any] = json.loads(payload())
    for gate in data["feature_gates"][:2]:
        gate["targetAppIDs"] = ["shop"]
    own = publisher(kv_store(emulator), target_app="shop")
    report = own.publish(json.dumps(data).encode())
    assert report.counts == {"feature_gate": 2}
    stored = own.look()
    assert stored.metadata is not None
    assert stored.metadata.app == "shop"
    assert own.publish(json.dumps(data).encode()).outcome == "unchanged"
