"""The spool's files: what is written, who may send it, and what is removed."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from statsig_fastly.events import spool as spool_module
from statsig_fastly.events.batches import Batch, encoded
from statsig_fastly.events.spool import Spool, key_digest
from statsig_fastly.events.spool_accounts import Lost, SpoolCounts
from statsig_fastly.locked_files import open_existing

KEY = "secret-1a2b3c4d5e6f"
DIGEST = key_digest(KEY)
TESTS = Path(__file__).parent


def batch(created_ms: int = 1000, count: int = 3, *, text: str = "event") -> Batch:
    pieces = [b",".join(f'{{"eventName":"{text}-{number}"}}'.encode() for number in range(count))]
    return Batch(encoded(pieces, {}, compress=True), count, created_ms)


def spool(directory: Path, *, key: str = KEY, max_bytes: int = 1_000_000) -> Spool:
    return Spool(directory, key_digest(key), max_bytes)


def put(spooled: Spool, written: Batch) -> str:
    """Writes a batch. Returns the name of its file."""
    made = spooled.write(written)
    made.publish()
    spooled.make_room()
    return made.name


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_the_body_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "spool"
    spooled = spool(directory)
    assert spooled.is_empty()
    written = batch(1_795_400_000_123, 3)
    name = put(spooled, written)
    assert re.fullmatch(rf"1795400000123-{os.getpid()}-\d{{10}}-3-{DIGEST}\.batch", name)
    assert files(directory) == [name]
    assert (directory / name).read_bytes() == written.body
    assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert spooled.counts.own_events == 3
    assert not spooled.is_empty()
    assert KEY not in name


def test_the_oldest_is_claimed_first_and_by_one_only(tmp_path: Path) -> None:
    first, second = spool(tmp_path), spool(tmp_path)
    for created in (3000, 1000, 2000):
        put(first, batch(created))
    one = first.claim()
    two = second.claim()
    assert one is not None
    assert two is not None
    assert [claim.batch.created_ms for claim in (one, two)] == [1000, 2000]
    assert one.batch.body == batch(1000).body
    one.release()
    again = second.claim()
    assert again is not None
    assert again.name == one.name
    assert again.done() is False  # the events are the first one's
    assert two.done() is False
    assert first.counts.own_events == 9
    last = first.claim()
    assert last is not None
    assert last.done() is True
    assert (first.counts.own_events, first.counts.taken_by_others) == (0, 6)
    assert files(tmp_path) == []
    assert first.claim() is None


def test_claims_are_passed_over_and_demoted(tmp_path: Path) -> None:
    spooled = spool(tmp_path)
    names = [put(spooled, batch(created)) for created in (1, 2)]
    claim = spooled.claim(skip={names[0]})
    assert claim is not None
    assert claim.name == names[1]
    claim.release()
    claim.release()
    claim = spooled.claim()
    assert claim is not None
    claim.batch.retries = claim.batch.failures = 6
    spooled.tried(claim)
    claim = spooled.claim(with_demoted=False)
    assert claim is not None
    assert claim.name == names[1]
    claim.release()
    claim = spooled.claim()  # what failed least often
    assert claim is not None
    assert claim.name == names[1]
    claim.release()
    claim = spooled.claim(skip={names[1]})
    assert claim is not None
    assert (claim.name, claim.batch.retries) == (names[0], 6)
    claim.release()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    other = spool(tmp_path, key="secret-other")
    put(other, batch())
    strange = [f"x-{DIGEST}.batch", "notes.txt", f"1-2-3-{DIGEST}.batch", f"1-2-3-4-5-{DIGEST}.batch"]
    for name in strange:
        (tmp_path / name).write_bytes(b"?")
    (tmp_path / f"0000000000001-1-1-1-{DIGEST}.batch").symlink_to(tmp_path / "notes.txt")
    (tmp_path / f"0000000000002-1-1-1-{DIGEST}.batch").mkdir()
    before = files(tmp_path)
    spooled = spool(tmp_path, max_bytes=len(batch().body))
    assert spooled.claim() is None
    put(spooled, batch())
    claim = spooled.claim()
    assert claim is not None
    assert claim.done()
    assert files(tmp_path) == before


def test_the_oldest_go_when_space_is_short(tmp_path: Path) -> None:
    size = len(batch().body)
    others, spooled = spool(tmp_path), spool(tmp_path, max_bytes=4 * size)
    put(others, batch(1))
    put(others, batch(2))
    kept = others.claim()
    assert kept is not None  # being sent: it must not be taken away
    for created in range(10, 17):
        put(spooled, batch(created))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4 * size
    assert spooled.counts.dropped_for_space == Lost(12, 3)
    assert spooled.counts.own_events == 9
    assert kept.done() is True
    left = [int(name.split("-")[0]) for name in files(tmp_path)]
    assert left == [14, 15, 16]


def test_what_is_larger_than_all_the_space_is_not_written(tmp_path: Path) -> None:
    spooled = spool(tmp_path, max_bytes=10)
    with pytest.raises(OSError, match="exceeds 10 bytes"):
        put(spooled, batch())
    assert files(tmp_path) == []


@pytest.mark.parametrize("damage", [b"\x1f\x8bno gzip", batch().body[:-1], b"<html>", batch().body + b"!"])
def test_a_damaged_file_is_removed_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    spooled = spool(tmp_path)
    name = put(spooled, batch(1))
    put(spooled, batch(2))
    (tmp_path / name).write_bytes(damage)
    (tmp_path / f"0000000000000-1-1-7-{DIGEST}.batch").write_bytes(damage)
    claim = spooled.claim()
    assert claim is not None
    assert claim.batch.created_ms == 2
    assert spooled.counts.dropped_unreadable == Lost(3, 7)
    assert spooled.counts.own_events == 3
    assert len(caplog.messages) == 2
    assert "damaged" in caplog.messages[0]
    assert files(tmp_path) == [claim.name]
    claim.release()


def test_an_empty_file_was_sent_already(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / f"0000000000000-1-1-7-{DIGEST}.batch").touch()
    spooled = spool(tmp_path)
    assert spooled.claim() is None
    assert files(tmp_path) == []
    assert spooled.counts.dropped_unreadable == Lost(0, 0)
    assert caplog.messages == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything is readable here")
def test_an_unreadable_file_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spooled = spool(tmp_path)
    (tmp_path / put(spooled, batch(1))).chmod(0)
    for _ in range(3):
        assert spooled.claim() is None
    assert len(caplog.messages) == 1


def failing(monkeypatch: pytest.MonkeyPatch, error: int, times: int) -> None:
    """Has so many attempts to open a file fail."""
    left = times

    def opened(path: Path) -> int:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(error, os.strerror(error))
        return open_existing(path)

    monkeypatch.setattr(spool_module, "open_existing", opened)


def said_of_opening(caplog: pytest.LogCaptureFixture) -> int:
    """How many lines say it: clients that other tests have left behind may have something to say, too."""
    return len([message for message in caplog.messages if "cannot be opened" in message])


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES])
def test_what_cannot_be_opened_is_tried_again_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    spooled = spool(tmp_path)
    name = put(spooled, batch(1))
    failing(monkeypatch, error, 3)
    for _ in range(3):
        assert spooled.claim() is None
        assert spooled.is_hindered == (error != errno.EACCES)
    claim = spooled.claim()
    assert claim is not None
    assert (claim.name, spooled.is_hindered) == (name, False)
    assert said_of_opening(caplog) == 1
    claim.release()
    failing(monkeypatch, error, 1)
    assert spooled.claim() is None
    assert said_of_opening(caplog) == 2  # it is another time


def test_what_cannot_be_opened_does_not_cost_the_others_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(batch().body)
    spooled = spool(tmp_path, max_bytes=2 * size)
    put(spooled, batch(1))
    failing(monkeypatch, errno.EACCES, 1)
    assert spooled.claim() is None
    names = [put(spooled, batch(created)) for created in (2, 3)]
    assert set(names) <= set(files(tmp_path))
    assert spooled.counts.dropped_for_space == Lost(0, 0)


def test_a_directory_that_cannot_be_read_now_may_hold_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    resource = pytest.importorskip("resource", reason="files cannot be limited here")
    spooled = spool(tmp_path)
    put(spooled, batch(1))
    _, most = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, most))
    try:
        for _ in range(2):
            claim, empty = spooled.claim(), spooled.is_empty()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (claim, empty, spooled.is_hindered, len(caplog.messages)) == (None, False, True, 1)
    assert spooled.counts.own_events == 3
    claim = spooled.claim()
    assert claim is not None
    assert not spooled.is_hindered
    claim.release()


def test_what_is_not_published_is_nobodys(tmp_path: Path) -> None:
    spooled = spool(tmp_path)
    written = spooled.write(batch())
    assert (spooled.is_empty(), spooled.counts.own_events) == (True, 0)
    written.discard()
    written.discard()
    assert files(tmp_path) == []


def test_what_cannot_be_published_is_removed(tmp_path: Path) -> None:
    spooled = spool(tmp_path)
    written = spooled.write(batch())
    (tmp_path / written.name).mkdir()
    with pytest.raises(OSError, match="directory"):
        written.publish()
    assert files(tmp_path) == [written.name]
    assert spooled.counts == SpoolCounts()


def test_a_directory_that_is_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    spooled = spool(tmp_path / "file")
    with pytest.raises(OSError, match="exists"):
        put(spooled, batch())
    assert spooled.claim() is None
    assert spooled.is_empty()
    assert len(caplog.messages) == 1


def test_a_file_can_be_withdrawn_until_somebody_takes_it(tmp_path: Path) -> None:
    spooled, other = spool(tmp_path), spool(tmp_path)
    names = [put(spooled, batch(created)) for created in (1, 2)]
    claim = other.claim()
    assert claim is not None
    assert [spooled.withdraw(name) for name in names] == [False, True]
    assert not spooled.withdraw(names[1])
    assert spooled.counts.own_events == 3
    claim.release()


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    old, new = (tmp_path / f"000000000000{number}-1-1-1-{DIGEST}.batch.tmp" for number in (1, 2))
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    assert spool(tmp_path).is_empty()
    assert files(tmp_path) == [new.name]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_release_its_parents_claim(tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
from test_spool import batch, put, spool
spooled = spool(Path({str(tmp_path)!r}))
put(spooled, batch())
claim = spooled.claim()
child = os.fork()
if not child:
    spooled.forked()
    os._exit(0 if spooled.counts.own_events == 0 and spooled.claim() is None else 1)
assert os.waitpid(child, 0)[1] == 0
assert spool(Path({str(tmp_path)!r})).claim() is None  # still the parent's
claim.release()
assert spool(Path({str(tmp_path)!r})).claim() is not None
assert spooled.counts.own_events == 3
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_killed_process_lets_go_of_its_claim(tmp_path: Path) -> None:
    spooled = spool(tmp_path)
    put(spooled, batch())
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(TESTS)!r})
from test_spool import spool
claim = spool(Path({str(tmp_path)!r})).claim()
print("claimed" if claim else "nothing", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        assert spooled.claim() is None
        other.kill()
        other.wait()
    claim = spooled.claim()
    assert claim is not None
    assert claim.done() is True
