"""Values that were compressed before they were put into a store."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
import pytest
import zstandard
from hypothesis import assume, given
from hypothesis import strategies as st

import statsig_fastly
from small_project import payload
from statsig_fastly.adapters.compression import decompressed
from statsig_fastly.adapters.plain_specs import plain_specs
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = "reading key 'k'"
LIMIT = 1_000_000


def zstd_without_size(value: bytes) -> bytes:
    """As a stream compresses it, which cannot know the size in advance."""
    stream = zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
    return stream.compress(value) + stream.flush()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip without compression": lambda value: gzip.compress(value, 0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "zstd stream": zstd_without_size,
    "zstd 19": zstandard.ZstdCompressor(level=19, write_checksum=True).compress,
    "brotli": brotli.compress,
    "brotli 4": lambda value: brotli.compress(value, mode=brotli.MODE_TEXT, quality=4, lgwin=18),
}
STORED = {name: compress(payload()) for name, compress in COMPRESS.items()}
FRAMED = [name for name in COMPRESS if not name.startswith("brotli")]
OBJECTS = st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())).map(
    lambda data: json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
)
BYTES = st.binary(max_size=2000)


def problem_with(value: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(AdapterError) as caught:
        decompressed(value, limit, PLACE, status=200)
    problem = caught.value
    assert (problem.status, problem.retryable, problem.retry_after) == (200, False, None)
    assert problem.__context__ is None
    text = str(problem)
    assert text.startswith(f"{PLACE}: the ")
    assert "\n" not in text
    assert len(text) < 300
    return text.removeprefix(f"{PLACE}: ")


@given(name=st.sampled_from(list(COMPRESS)), value=OBJECTS)
def test_objects_come_back(name: str, value: bytes) -> None:
    assert decompressed(COMPRESS[name](value), LIMIT, PLACE) == value
    assert decompressed(value, LIMIT, PLACE) is value


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("size", [0, 1, 65_000, 70_000, 3_000_000])
def test_values_of_any_size_come_back(name: str, size: int) -> None:
    # Brotli of 64 kB and more starts with a bracket.
    value = b'{"x":"' + (b"0123456789" * (size // 10 + 1))[:size] + b'"}'
    assert decompressed(COMPRESS[name](value), len(value), PLACE) == value


@given(name=st.sampled_from(FRAMED), value=BYTES)
def test_what_has_magic_bytes_may_hold_anything(name: str, value: bytes) -> None:
    assert decompressed(COMPRESS[name](value), LIMIT, PLACE) == value


@given(name=st.sampled_from(FRAMED), values=st.lists(BYTES, min_size=1, max_size=6))
def test_streams_that_follow_each_other_are_joined(name: str, values: list[bytes]) -> None:
    stored = b"".join(map(COMPRESS[name], values))
    assert decompressed(stored, LIMIT, PLACE) == b"".join(values)


@given(value=BYTES)
def test_what_is_not_compressed_stays_or_is_refused(value: bytes) -> None:
    stored = b"{" + value
    assert decompressed(stored, LIMIT, PLACE) is stored
    for start in (b" {", b"\n{", b"<", b"\xef\xbb\xbf{", "{".encode("utf-16"), b"\x00{"):
        stored = start + value
        assert decompressed(stored, LIMIT, PLACE) is stored


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"[1,2]", b"null", b"statsig", b'"{}"', "größe".encode(), b"0"]
)
def test_text_that_is_no_object_is_left_to_those_who_expect_one(value: bytes) -> None:
    assert decompressed(value, LIMIT, PLACE) is value


@pytest.mark.parametrize("name", COMPRESS)
@given(data=st.data())
def test_half_a_value_is_never_taken_for_a_whole_one(name: str, data: st.DataObject) -> None:
    stored = STORED[name]
    half = stored[: data.draw(st.integers(3 if name in FRAMED else 2, len(stored) - 1))]
    problem = problem_with(half)
    if name in FRAMED and len(half) >= 4:
        assert f"value is not whole: it breaks off after {len(half)} bytes; publish it again" in problem


@pytest.mark.parametrize("name", COMPRESS)
@given(data=st.data())
def test_a_damaged_value_is_never_taken_for_another_one(name: str, data: st.DataObject) -> None:
    stored = bytearray(STORED[name])
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    assume(stored[0] != ord("{"))  # which parsers refuse later
    try:
        found = plain_specs(bytes(stored), LIMIT, PLACE)
    except AdapterError:
        return
    # Header fields that say nothing about the content, and brotli, which has no checksum.
    assert found == payload() or name.startswith("brotli")


@given(name=st.sampled_from(FRAMED), more=st.binary(min_size=1, max_size=600))
def test_whatever_follows_is_refused(name: str, more: bytes) -> None:
    stored = COMPRESS[name](b"{}")
    if more.startswith((stored[:2], stored[:4])):  # another stream, or what looks like one
        more = b"x" + more
    problem = problem_with(stored + more)
    assert f"value ends after {len(stored)} bytes, and {len(more)} others follow" in problem


def test_brotli_with_something_behind_it() -> None:
    for more in (b"x", b"\0" * 100, brotli.compress(b"{}")):
        assert "neither JSON nor a whole one" in problem_with(STORED["brotli"] + more)


def test_damage_is_located() -> None:
    stored = bytearray(STORED["gzip"])
    stored[-8] ^= 1
    text = problem_with(bytes(stored))
    assert text.startswith("the gzip value is damaged near byte 0 (Error -3")
    assert text.endswith("incorrect data check); publish it again")
    stored = bytearray(STORED["zstd"])
    stored[-1] ^= 1
    assert "the zstd value is damaged near byte" in problem_with(bytes(stored))


@pytest.mark.parametrize("name", COMPRESS)
def test_the_limit_is_exact(name: str) -> None:
    value, stored = payload(), STORED[name]
    assert decompressed(stored, len(value), PLACE) == value
    problem = problem_with(stored, len(value) - 1)
    assert f"has more than {len(value) - 1:,} bytes when it is decompressed" in problem
    assert "raise max_payload_bytes" in problem


BOMB = b"{" + b" " * 40_000_000


@pytest.mark.parametrize("name", ["gzip", "zstd", "zstd stream", "brotli 4"])
def test_a_bomb_takes_no_more_memory_than_the_limit(name: str) -> None:
    bomb = COMPRESS[name](BOMB)
    assert len(bomb) < len(BOMB) / 900
    tracemalloc.start()
    try:
        problem = problem_with(bomb, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "more than 1,000,000 bytes" in problem
    assert peak < LIMIT + 12_000_000


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_bomb_of_empty_streams_is_refused(name: str) -> None:
    empty = COMPRESS[name](b"")
    assert decompressed(empty * 10_000, LIMIT, PLACE) == b""
    assert "has more than 10,000 parts" in problem_with(empty * 10_001)


def test_zlib_and_raw_deflate_are_no_formats() -> None:
    assert "neither JSON nor" in problem_with(zlib.compress(payload()))
    deflate = zlib.compressobj(wbits=-15)
    assert "neither JSON nor" in problem_with(deflate.compress(payload()) + deflate.flush())


def test_compressed_twice_is_not_unpacked_twice() -> None:
    with pytest.raises(AdapterError, match="not a JSON object"):
        plain_specs(gzip.compress(gzip.compress(payload())), LIMIT, PLACE)


def test_a_limit_for_what_is_not_compressed() -> None:
    assert plain_specs(b'{"a":1}', 7, PLACE) == b'{"a":1}'
    with pytest.raises(AdapterError, match=r"^reading key 'k': the value has 7 bytes, .* limit of 6; make"):
        plain_specs(b'{"a":1}', 6, PLACE)


INSTALL = "install statsig-fastly[compression] to read it"
WITHOUT = """
import sys
sys.modules[{module!r}] = None
from statsig_fastly import AdapterError
from statsig_fastly.adapters.compression import decompressed
assert decompressed(b"[1]", 100, "here") == b"[1]"
try:
    decompressed({value!r}, 100, "here")
except AdapterError as problem:
    print(problem)
"""


@pytest.mark.parametrize(
    ("module", "value", "says"),
    [
        pytest.param(
            "zstandard",
            zstandard.compress(b"{}"),
            f"here: the value is compressed with zstd; {INSTALL}",
            marks=pytest.mark.skipif(sys.version_info >= (3, 14), reason="zstd comes with this Python"),
        ),
        (
            "brotli",
            STORED["brotli"],
            f"here: the value is neither JSON nor gzip nor zstd; if it is brotli, {INSTALL}",
        ),
    ],
)
def test_a_package_that_is_missing_is_named(module: str, value: bytes, says: str) -> None:
    script = WITHOUT.format(module=module, value=value)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == says


OLD_BROTLI = """
import sys, types
from statsig_fastly import AdapterError
from statsig_fastly.adapters.compression import decompressed

class Decompressor:
    def process(self, data): raise AssertionError("it cannot be stopped")
    def is_finished(self): return False

sys.modules["brotli"] = types.ModuleType("brotli")
sys.modules["brotli"].Decompressor, sys.modules["brotli"].error = Decompressor, OSError
try:
    decompressed({value!r}, 100, "here")
except AdapterError as problem:
    print(problem)
"""


def test_a_brotli_that_cannot_stop_at_a_limit_is_not_used() -> None:
    script = OLD_BROTLI.format(value=STORED["brotli"])
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip().endswith(f"if it is brotli, {INSTALL}")


def test_nothing_is_imported_for_plain_json() -> None:
    script = (
        "import sys\n"
        "from statsig_fastly.adapters.compression import decompressed\n"
        "decompressed(b'{}', 9, 'here')\n"
        "print([name for name in ('zlib', 'zstandard', 'brotli') if name in sys.modules])\n"
    )
    # Without site, whose start-up files may import anything.
    package = Path(statsig_fastly.__file__).parent.parent
    ran = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
