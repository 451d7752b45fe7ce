from __future__ import annotations

import gzip
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import small_project
from statsig_fastly import AdapterError, FileAdapter, Payload, PayloadError, Statsig, StatsigOptions
from statsig_fastly.adapters import SpecAdapter
from statsig_fastly.completion import Completion

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECS = b'{"time":1,"name":"\xc3\xbc"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with config specs."""
    path = tmp_path / "specs.json"
    path.write_bytes(SPECS)
    return path


def fetched(adapter: FileAdapter, held_version: str | None = None) -> Payload:
    payload = adapter.fetch(held_version)
    assert payload is not None
    return payload


def failure(adapter: FileAdapter) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        adapter.fetch()
    assert str(caught.value).startswith(f"reading {adapter.path}: ")
    assert caught.value.status is None
    return caught.value


def test_it_is_an_adapter(path: Path) -> None:
    adapter = FileAdapter(path)
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "File"
    assert adapter.path == path
    assert repr(adapter) == f"FileAdapter({str(path)!r})"
    assert adapter.identity == f"File {path}"
    payload = fetched(adapter)
    assert (payload.body, payload.source, payload.metadata) == (SPECS, None, None)
    adapter.close()
    adapter.close()
    assert fetched(pickle.loads(pickle.dumps(adapter))).body == SPECS  # noqa: S301 - its own


def test_a_relative_path_starts_where_the_program_was(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    adapter = FileAdapter(path.name)
    monkeypatch.chdir("/")
    assert fetched(adapter).body == SPECS


def test_what_is_in_it_decides(path: Path) -> None:
    adapter = FileAdapter(path)
    first = fetched(adapter)
    assert adapter.fetch(first.version) is None
    path.touch()
    assert adapter.fetch(first.version) is None
    (path.parent / "another").write_bytes(SPECS)
    (path.parent / "another").replace(path)
    assert adapter.fetch(first.version) is None

    # A rewrite of the same length, in the same tick of the clock.
    before = path.stat()
    path.write_bytes(SPECS.replace(b"1", b"2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = fetched(adapter, first.version)
    assert second.body == SPECS.replace(b"1", b"2")
    path.write_bytes(SPECS)
    assert fetched(adapter, second.version) == first


def test_a_payload_that_is_cut_off_is_a_payload_error_and_passes(path: Path) -> None:
    whole = small_project.payload(2)
    path.write_bytes(small_project.payload(1))
    with Statsig(
        "secret-key", StatsigOptions(data_adapter=FileAdapter(path), disable_all_logging=True)
    ) as ours:
        path.write_bytes(whole[:-20])
        error = ours.sync().result(30).error
        assert isinstance(error, PayloadError)
        assert str(path) in str(error)
        assert "EOF" in str(error)
        assert ours.config_time == 1
        path.write_bytes(whole)
        assert ours.sync().result(30).changed
        assert ours.config_time == 2


@pytest.mark.parametrize(
    ("body", "retryable", "says"),
    [
        (b"", True, "the value is empty"),
        (b"<html>", True, "the value is an HTML or XML page"),
        (b"[1]", False, "the value is not a JSON object: it starts with '[1]'"),
        ("{}".encode("utf-16"), False, "the value is UTF-16"),
    ],
)
def test_what_is_no_payload(path: Path, body: bytes, retryable: bool, says: str) -> None:
    path.write_bytes(body)
    problem = failure(FileAdapter(path))
    assert says in str(problem)
    assert problem.retryable == retryable


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    problem = failure(FileAdapter(tmp_path / "absent"))
    assert str(problem).endswith("absent: No such file or directory; check path")
    assert not problem.retryable
    assert "check path" in str(failure(FileAdapter(tmp_path)))
    assert "check path" in str(failure(FileAdapter(tmp_path / ("x" * 300))))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes of this kind")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", os.devnull):
        problem = Completion.run(partial(failure, FileAdapter(path)), name="may wait for ever").result(30)
        assert str(problem).endswith("it is not a regular file; check path")


def test_a_file_that_is_too_large(path: Path) -> None:
    assert fetched(FileAdapter(path, max_value_bytes=len(SPECS))).body == SPECS
    problem = failure(FileAdapter(path, max_value_bytes=len(SPECS) - 1))
    assert "raise max_value_bytes" in str(problem)
    assert not problem.retryable


class ThenWritten:
    """Tells what `os.fstat` does, and then has somebody write to the file, so many times."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.times = path, times

    def __call__(self, file: int) -> os.stat_result:
        found = os.stat(file)
        if self.times:
            self.times -= 1
            with self.path.open("ab") as more:
                more.write(b" ")
        return found


@pytest.mark.parametrize(("times", "works"), [(1, True), (4, True), (5, False)])
def test_a_file_that_changes_while_it_is_read(
    path: Path, times: int, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between the first look at it and the reading, which nothing from outside hits on purpose.
    monkeypatch.setattr("statsig_fastly.adapters.file.os.fstat", ThenWritten(path, times))
    if works:
        assert fetched(FileAdapter(path)).body.strip() == SPECS
    else:
        problem = failure(FileAdapter(path))
        assert "it is being written; ask again later" in str(problem)
        assert problem.retryable


def test_threads_see_whole_files_while_it_is_replaced(path: Path) -> None:
    bodies = [b'{"time":%d,"x":"%s"}' % (number, b"x" * 50_000) for number in range(20)]
    path.write_bytes(bodies[0])
    adapter, done = FileAdapter(path), threading.Event()

    def read(_: int) -> Iterator[bytes]:
        seen = []
        while not done.is_set():
            seen.append(fetched(adapter).body)
        return iter(seen)

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read, number) for number in range(4)]
        try:
            for body in bodies * 5:
                (path.parent / "next").write_bytes(body)
                (path.parent / "next").replace(path)
        finally:
            done.set()
        seen = {body for reader in readers for body in reader.result(30)}
    assert seen <= set(bodies)


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"path": None}, TypeError, "path: expected str or os.PathLike, got NoneType"),
        ({"path": b"/specs"}, TypeError, "path: expected str or os.PathLike, got bytes"),
        ({"path": ""}, ValueError, "path: expected text, got ''"),
        ({"path": "a\0b"}, ValueError, "path: expected a path, got text with a null character"),
        ({"max_value_bytes": 0}, ValueError, "max_value_bytes: expected a number above 0, got 0"),
        ({"max_value_bytes": "5"}, TypeError, "max_value_bytes: expected int, got str"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        FileAdapter(**{"path": Path("specs.json"), **arguments})
    assert str(caught.value) == says


def test_a_compressed_file(path: Path) -> None:
    path.write_bytes(gzip.compress(SPECS))
    assert fetched(FileAdapter(path)).body == SPECS
    path.write_bytes(gzip.compress(SPECS)[:-9])
    assert "the gzip value is not whole" in str(failure(FileAdapter(path)))
