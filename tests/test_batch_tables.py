"""Tables that are not what the Arrow interface says: an error, not a crash and not made-up answers."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arrow_structures import Array, HandedOver, Schema, array, schema, structs
from small_project import TIME, payload
from statsig_fastly._native import Evaluator

Column = tuple[Schema, Array]


def whole(size: str, *numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}{size}", *numbers)


def evaluator() -> Evaluator:
    made = Evaluator()
    made._load(payload(TIME), "Test")
    return made


def evaluate(table: object) -> int:
    return len(evaluator().evaluate_batch(table, gates=["on"]))  # type: ignore[arg-type]


NUMBERS = schema(b"l"), array(2, [None, whole("q", 1, 2)])
TEXT = schema(b"u"), array(1, [None, whole("i", 0, 1), b"z"])


def view(length: int, buffer: int, start: int) -> bytes:
    return whole("i", length, 0, buffer, start)


def column(form: bytes, length: int, *buffers: bytes | None, **fields: Any) -> Column:  # noqa: ANN401 - of any type
    return schema(form), array(length, [None, *buffers], **fields)


def dictionary(*indices: int, of: Column = TEXT) -> Column:
    return schema(b"i", dictionary=of[0]), array(2, [None, whole("i", *indices)], dictionary=of[1])


def items(form: bytes, offsets: bytes, of: Column = NUMBERS) -> Column:
    return schema(form, children=[of[0]]), array(2, [None, offsets], [of[1]])


def views(views: bytes, *buffers: bytes | None) -> Column:
    return schema(b"vu"), array(2, [None, views, *buffers])


def nested(depth: int, kind: str) -> Column:
    inner_schema, inner = schema(b"u"), array(2, [None, whole("i", 0, 1, 2), b"ab"])
    for _ in range(depth):
        if kind == "lists":
            inner_schema = schema(b"+l", children=[inner_schema])
            inner = array(2, [None, whole("i", 0, 1, 2)], [inner])
        else:
            inner_schema = schema(b"i", dictionary=inner_schema)
            inner = array(2, [None, whole("i", 0, 1)], dictionary=inner)
    return inner_schema, inner


NEGATIVE = "its length or its offset is negative"
UNORDERED = "its offsets are not in order"

WRONG: dict[str, tuple[Column, str]] = {
    "too few rows": (column(b"l", 1, whole("q", 1)), 'column "custom.f" has fewer rows than the table'),
    "no values": (column(b"l", 2, None), "its values are missing"),
    "no offsets": (column(b"u", 2, None, b"ab"), "its values are missing"),
    "no buffers": (column(b"l", 2, whole("q", 1, 2), n_buffers=0), "its values are missing"),
    "no list of buffers": (column(b"l", 2, whole("q", 1, 2), buffers=None), "its values are missing"),
    "a negative length": (column(b"l", -1, whole("q", 1, 2)), NEGATIVE),
    "a negative offset": (
        column(b"l", 2, whole("q", 1, 2), offset=-1),
        "its length or its offset is negative",
    ),
    "offsets that go back": (column(b"u", 2, whole("i", 2, 1, 0), b"ab"), UNORDERED),
    "a negative offset of text": (
        column(b"U", 2, whole("q", -2, 1, 2), b"ab"),
        "its offsets are not in order",
    ),
    "text that is none": (column(b"u", 2, whole("i", 0, 1, 2), b"\xff\xfe"), "text that is not UTF-8"),
    "an index that is too large": (dictionary(0, 2**31 - 1), "it has fewer rows than are needed of it"),
    "an index that is negative": (dictionary(-1, 0), "an index into a dictionary is negative"),
    "no dictionary": (
        (dictionary(0, 0)[0], array(2, [None, whole("i", 0, 0)])),
        "its dictionary is missing",
    ),
    "no indices": (
        (dictionary(0, 0)[0], array(2, [None, None], dictionary=TEXT[1])),
        "its values are missing",
    ),
    "a list beyond its items": (items(b"+l", whole("i", 0, 1, 3)), "it has fewer rows than are needed of it"),
    "a long list": (items(b"+L", whole("q", 0, 1, 2**62)), "it has fewer rows than are needed of it"),
    "no items": (
        (schema(b"+l", children=[NUMBERS[0]]), array(2, [None, whole("i", 0, 1, 2)])),
        "a column within it is missing",
    ),
    "a child that points nowhere": (
        (schema(b"+l", children=[None]), array(2, [None, whole("i", 0, 1, 2)], [None])),
        "a column within it is missing",
    ),
    "a view beyond its buffer": (
        views(view(13, 0, 1) * 2, b"a" * 13, whole("q", 13)),
        "a view points to what is not there",
    ),
    "a view of no buffer": (
        views(view(13, 1, 0) * 2, b"a" * 13, whole("q", 13)),
        "a view points to what is not there",
    ),
    "a view without buffers": (views(view(13, 0, 0) * 2), "a view points to what is not there"),
    "a negative view": (
        views(view(-1, 0, 0) * 2, b"a" * 13, whole("q", 13)),
        "a view has a negative length",
    ),
    "no text": (column(b"u", 2, whole("i", 0, 1, 2), None), "its text is missing"),
    "a buffer of views that is not there": (
        views(view(13, 0, 0) * 2, None, whole("q", 13)),
        "its text is missing",
    ),
    "no type": ((schema(None), NUMBERS[1]), "its Arrow type is missing"),
    "lists in lists": (nested(2000, "lists"), "nested deeper than 64 levels"),
    "dictionaries of dictionaries": (nested(2000, "dictionaries"), "nested deeper than 64 levels"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_column_that_is_not_as_it_should_be(wrong: str) -> None:
    made, text = WRONG[wrong]
    ids = schema(b"u"), array(2, [None, whole("i", 0, 1, 2), b"ab"])
    with pytest.raises(ValueError, match=f"argument 'table': .*{text}"):
        evaluate(HandedOver(structs(2, user_id=ids, custom__f=made)))


RIGHT: dict[str, Column] = {
    "numbers": NUMBERS,
    "nulls without values": (schema(b"l"), array(2, [b"\0", None], null_count=2)),
    "views": views(view(13, 0, 0) + view(13, 0, 1), b"a" * 14, whole("q", 14)),
    "an index of what is null": (
        schema(b"i", dictionary=TEXT[0]),
        array(2, [b"\1", whole("i", 0, 99)], dictionary=TEXT[1], null_count=1),
    ),
    "64 lists": nested(62, "lists"),
}


@pytest.mark.parametrize("right", RIGHT)
def test_a_column_that_is_as_it_should_be(right: str) -> None:
    assert evaluate(HandedOver(structs(2, custom__f=RIGHT[right]))) == 2


def test_more_rows_than_fit_into_memory() -> None:
    with pytest.raises(ValueError, match="there is no memory for so many rows"):
        evaluate(HandedOver((schema(b"+s"), array(2**60, [None]))))


@pytest.mark.parametrize("released", ["schema", "array"])
def test_a_structure_that_was_released(released: str) -> None:
    made = structs(2, custom__f=NUMBERS)
    made[released == "array"].release = None
    with pytest.raises(ValueError, match="argument 'table': it was read before"):
        evaluate(HandedOver(made))


def test_capsules_that_were_read_before() -> None:
    pa = pytest.importorskip("pyarrow")
    batch = pa.record_batch({"user_id": ["a", "b"]})
    table = HandedOver(structs(2, custom__f=NUMBERS))
    assert evaluate(table) == 2
    capsules = batch.__arrow_c_array__()
    pa.RecordBatch._import_from_c_capsule(*capsules)
    table._capsules = capsules
    for _ in range(2):
        with pytest.raises(ValueError, match="argument 'table': it was read before"):
            evaluate(table)


class Given:
    """Hands over anything."""

    def __init__(self, given: object) -> None:
        self.given = given

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        del requested_schema
        return self.given


NOTHING = HandedOver(structs(2, custom__f=NUMBERS))._capsules


@pytest.mark.parametrize("given", [5, (), (1,), NOTHING * 2], ids=["int", "none", "one", "four"])
def test_what_is_not_two_capsules(given: object) -> None:
    with pytest.raises(
        TypeError, match="argument 'table': expected a table whose __arrow_c_array__ returns two"
    ):
        evaluate(Given(given))


def test_capsules_of_something_else() -> None:
    for given in ((1, 2), NOTHING[::-1]):
        with pytest.raises(TypeError, match="expected a table that hands over a capsule called"):
            evaluate(Given(given))
    with pytest.raises(TypeError, match="expected a table that hands over a capsule called"):
        evaluate(Streamed(NOTHING[0]))


class Streamed:
    """Hands over the same stream as often as it is asked."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        del requested_schema
        return self.stream


@pytest.mark.parametrize("by_another", [False, True])
def test_a_stream_that_was_read_before(by_another: bool) -> None:
    pa = pytest.importorskip("pyarrow")
    table = Streamed(pa.table({"user_id": ["a", "b"]}).__arrow_c_stream__())
    if by_another:
        assert pa.RecordBatchReader._import_from_c_capsule(table.stream).read_all().num_rows == 2
    else:
        assert evaluate(table) == 2
    with pytest.raises(ValueError, match="argument 'table': it was read before"):
        evaluate(table)


WITHOUT_THREADS = """
import os, resource
from test_batch_tables import HandedOver, array, evaluator, schema
checks = evaluator()
table = HandedOver((schema(b"+s"), array(10_000, [None])))
checks.evaluate_batch  # everything is loaded
if os.getuid() == 0:
    os.setuid(65534)  # the limit is not for root
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
import _thread
try:
    _thread.start_new_thread(print, ())
except RuntimeError:
    print(len(checks.evaluate_batch(table, gates=["on"], threads=4)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
def test_where_there_can_be_no_more_threads() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("10000\n", "")
