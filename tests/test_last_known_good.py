"""The last known good payload: kept and read whole, by its owner alone, and used when nothing else is
there."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import AdapterError, FailureDetails, InitializeDetails, Payload, Statsig, StatsigOptions
from statsig_fastly.sync.last_known_good import LastKnownGood
from sync_parts import parts_of

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")


def kept_file(directory: Path) -> Path:
    (path,) = directory.glob("*.specs")
    return path


def client(directory: Path, *answers: object, **options: Any) -> Statsig:  # noqa: ANN401 - StatsigOptions'
    adapter = ScriptedAdapter(*answers)
    return Statsig(
        "secret-key", StatsigOptions(data_adapter=adapter, last_known_good_dir=directory, **options)
    )


def start(statsig: Statsig) -> InitializeDetails:
    details = statsig.initialize().result(PATIENCE)
    statsig.shutdown().wait(PATIENCE)
    return details


# The file


@given(st.binary(), st.none() | st.text(), st.text())
def test_what_is_kept_comes_back(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, version: str | None, source: str
) -> None:
    from hashlib import sha256

    kept = LastKnownGood(tmp_path_factory.mktemp("kept"), "name", wall=lambda: 1234.5)
    digest = sha256(body).digest()
    kept.save(Payload(body, version), digest, source)
    found = LastKnownGood(kept.path.parent, "name").load()
    assert found is not None
    assert (found.payload.body, found.payload.version, found.payload.source) == (body, version, source)
    assert (found.digest, found.saved_at) == (digest, 1234.5)


def test_nothing_is_kept_yet(tmp_path: Path) -> None:
    assert LastKnownGood(tmp_path / "not there", "name").load() is None


@posix
def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    start(client(tmp_path / "a" / "b", payload()))
    assert stat.S_IMODE(kept_file(tmp_path / "a" / "b").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == [kept_file(tmp_path / "a" / "b").name]


def test_neither_the_name_nor_the_file_holds_the_key(tmp_path: Path) -> None:
    start(client(tmp_path, payload()))
    path = kept_file(tmp_path)
    assert "secret-key" not in path.name
    assert b"secret-key" not in path.read_bytes()


def test_projects_and_stores_are_kept_apart(tmp_path: Path) -> None:
    class Other(ScriptedAdapter):
        identity = "another store"

    start(client(tmp_path, payload()))
    for key, adapter in (("secret-other", ScriptedAdapter(payload())), ("secret-key", Other(payload()))):
        start(Statsig(key, StatsigOptions(data_adapter=adapter, last_known_good_dir=tmp_path)))
    assert len(list(tmp_path.glob("*.specs"))) == 3


BODY_AT = len(payload())


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole + b"x",
        lambda whole: whole[:-10] + bytes([whole[-10] ^ 1]) + whole[-9:],
        lambda whole: whole[:0],
        lambda whole: whole.replace(b"last-known-good 1", b"last-known-good 2"),
        lambda whole: whole[len(whole) - BODY_AT :],
        lambda whole: b"[1]\n" + whole,
        lambda whole: whole.replace(b'"saved_at": ', b'"saved_at": 1' + b"0" * 400, 1),
        lambda whole: whole.replace(b'"version": ', b'"version": 5, "was": ', 1),
        lambda whole: whole.replace(b'"source": ', b'"source": null, "was": ', 1),
        lambda whole: b"\0" * len(whole),
    ],
)
def test_damage_is_noticed(tmp_path: Path, damage: Any) -> None:  # noqa: ANN401 - bytes to bytes
    start(client(tmp_path, payload()))
    path = kept_file(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    details = start(client(tmp_path, AdapterError("down"), bootstrap=payload(TIME - 1)))
    assert details.source == "Bootstrap"
    assert [failure.source for failure in details.failures] == ["Scripted", "LastKnownGood"]
    assert str(path) in details.failures[1].reason


@posix
def test_a_file_that_others_could_have_written_is_not_used(tmp_path: Path) -> None:
    start(client(tmp_path, payload()))
    kept_file(tmp_path).chmod(0o622)
    details = start(client(tmp_path, AdapterError("down")))
    assert details.source == "NoValues"
    assert "expected a file that only its owner can write, got mode 0622" in details.failures[1].reason


@posix
def test_a_file_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    start(client(tmp_path, payload()))
    os.chown(kept_file(tmp_path), 65534, 65534)
    details = start(client(tmp_path, AdapterError("down")))
    assert details.source == "NoValues"
    assert "expected a file of user 0, got one of user 65534" in details.failures[1].reason


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    start(client(tmp_path, payload()))
    path = kept_file(tmp_path)
    old, new = (path.with_name(f"{path.name}.{name}.tmp") for name in ("1-a", "2-b"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    start(client(tmp_path, payload(TIME + 1)))
    assert sorted(tmp_path.iterdir()) == sorted([path, new])


@posix
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    start(client(tmp_path, payload()))
    path = kept_file(tmp_path)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert start(client(tmp_path, AdapterError("down"))).source == "NoValues"


def test_a_directory_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    parts = parts_of(
        ScriptedAdapter(*(payload(TIME + number, number) for number in range(3))), directory=tmp_path / "file"
    )
    for _ in range(3):
        assert parts.looker.look().changed
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("the last known good payload cannot be kept: ")


def test_a_payload_that_is_refused_is_not_kept(tmp_path: Path) -> None:
    parts = parts_of(
        ScriptedAdapter(payload(TIME + 1, 2), payload()[:-1], payload(TIME), payload(TIME + 2, 3)),
        directory=tmp_path,
    )
    outcomes, kept = [], []
    for _ in range(4):
        outcomes.append(parts.looker.look().outcome)
        kept.append(kept_file(tmp_path).read_bytes().partition(b"\n")[2])
    assert outcomes == ["applied", "refused", "older", "applied"]
    assert kept == [payload(TIME + 1, 2)] * 3 + [payload(TIME + 2, 3)]


def test_a_payload_that_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    parts = parts_of(ScriptedAdapter(payload(), payload(), None), directory=tmp_path)
    parts.looker.look()
    written = kept_file(tmp_path).stat().st_ino
    for _ in range(3):
        assert parts.looker.look().outcome == "unchanged"
    assert kept_file(tmp_path).stat().st_ino == written


# Starting with it


def test_the_order_of_a_start(tmp_path: Path) -> None:
    down = AdapterError("down", status=503)
    # Nothing but the bootstrap payload is there.
    details = start(client(tmp_path, down, bootstrap=payload(TIME - 5)))
    assert (details.source, details.init_success) == ("Bootstrap", True)
    assert details.failures == (
        FailureDetails("down", "AdapterError", "Scripted"),
        FailureDetails("no last known good payload has been kept yet", "AdapterError", "LastKnownGood"),
    )
    assert details.failure_details == details.failures[-1]
    # The adapter has one: neither of the others is tried.
    details = start(client(tmp_path, payload(), bootstrap=payload(TIME + 5)))
    assert (details.source, details.failures, details.failure_details) == ("Adapter(Scripted)", (), None)
    # It is down: what it had is used, and not the bootstrap payload.
    statsig = client(tmp_path, down, bootstrap=payload(TIME + 5))
    details = start(statsig)
    assert (details.source, statsig.config_time) == ("LastKnownGood", TIME)
    assert details.failures == (FailureDetails("down", "AdapterError", "Scripted"),)
    assert details.config_age is not None
    assert details.config_age > 0
    assert statsig.get_feature_gate("u-1", "on").details.reason == "LastKnownGood:Recognized"


def test_an_adapter_that_does_not_answer_in_time(tmp_path: Path) -> None:
    start(client(tmp_path, payload()))
    held_back = HeldBack(payload(TIME + 1, 2))
    updated = threading.Event()
    statsig = client(tmp_path, held_back, init_timeout_ms=1, on_update=lambda _: updated.set())
    details = statsig.initialize().result(PATIENCE)
    assert details.source == "LastKnownGood"
    assert details.failure_details is not None
    assert details.failure_details.reason.startswith("Scripted did not answer within 1 ms")
    assert statsig.get_dynamic_config("u-1", "number").get("a") == 1
    held_back.let_go.set()
    assert updated.wait(PATIENCE)
    assert statsig.get_dynamic_config("u-1", "number").get("a") == 2
    statsig.shutdown().wait(PATIENCE)


def test_after_it_only_something_newer_is_downloaded(tmp_path: Path) -> None:
    start(client(tmp_path, Payload(payload(), "generation 7")))
    adapter = ScriptedAdapter(AdapterError("down"), None)
    options = StatsigOptions(data_adapter=adapter, last_known_good_dir=tmp_path)
    statsig = Statsig("secret-key", options)
    assert statsig.initialize().result(PATIENCE).source == "LastKnownGood"
    assert statsig.sync().result(PATIENCE).outcome == "unchanged"
    assert adapter.held == [None, "generation 7"]
    statsig.shutdown().wait(PATIENCE)


def test_without_an_adapter(tmp_path: Path) -> None:
    details = start(Statsig("secret-key", StatsigOptions(last_known_good_dir=tmp_path)))
    assert (details.source, len(details.failures)) == ("NoValues", 1)
