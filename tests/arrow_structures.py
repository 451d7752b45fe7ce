"""Structures of the Arrow C data interface, made by hand: also those that no library would make.

In: the format, the buffers and the children of columns. Out: an object whose `__arrow_c_array__` hands them
over.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

__all__ = ["Array", "HandedOver", "Schema", "array", "schema", "structs"]


class Schema(ctypes.Structure):
    """`ArrowSchema`."""


class Array(ctypes.Structure):
    """`ArrowArray`."""


_Schemas = ctypes.POINTER(ctypes.POINTER(Schema))
_Arrays = ctypes.POINTER(ctypes.POINTER(Array))

Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", _Schemas),
    ("dictionary", ctypes.POINTER(Schema)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", _Arrays),
    ("dictionary", ctypes.POINTER(Array)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]


def _release(released: Any) -> None:  # noqa: ANN401 - a pointer to one of both
    released.contents.release = None


_release_schema = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))(_release)
_release_array = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))(_release)


# What the structures point to has to stay where it is.
_kept: Final[list[object]] = []


def schema(
    format: bytes | None,  # noqa: A002 - as the interface calls it
    name: bytes | None = None,
    children: list[Schema | None] | None = None,
    **fields: Any,  # noqa: ANN401 - of any type
) -> Schema:
    """A schema; `fields` are put into it as they are."""
    made = Schema(format=format, name=name, release=ctypes.cast(_release_schema, ctypes.c_void_p))
    if children:
        made.children = _pointers(Schema, children)
        made.n_children = len(children)
    for field, value in fields.items():
        setattr(made, field, ctypes.pointer(value) if isinstance(value, Schema) else value)
    _kept.append((made, fields))
    return made


def array(
    length: int,
    contents: list[bytes | None],
    children: list[Array | None] | None = None,
    **fields: Any,  # noqa: ANN401 - of any type
) -> Array:
    """An array; `fields` are put into it as they are."""
    made = Array(length=length, release=ctypes.cast(_release_array, ctypes.c_void_p))
    memory = [None if buffer is None else ctypes.create_string_buffer(buffer) for buffer in contents]
    addresses = [None if buffer is None else ctypes.addressof(buffer) for buffer in memory]
    pointers = (ctypes.c_void_p * len(contents))(*addresses)
    made.buffers = ctypes.cast(pointers, ctypes.POINTER(ctypes.c_void_p))
    made.n_buffers = len(contents)
    if children:
        made.children = _pointers(Array, children)
        made.n_children = len(children)
    for field, value in fields.items():
        setattr(made, field, ctypes.pointer(value) if isinstance(value, Array) else value)
    _kept.append((made, memory, pointers, fields))
    return made


def structs(rows: int, **columns: tuple[Schema, Array]) -> tuple[Schema, Array]:
    """A batch of so many rows. Names of columns have `__` for a dot."""
    for name, (column, _) in columns.items():
        column.name = name.replace("__", ".").encode()
    return (
        schema(b"+s", children=[column for column, _ in columns.values()]),
        array(rows, [None], [column for _, column in columns.values()]),
    )


class HandedOver:
    """Hands over the same two capsules as often as it is asked."""

    def __init__(self, batch: tuple[Schema, Array]) -> None:
        self._capsules = (_capsule(batch[0], b"arrow_schema"), _capsule(batch[1], b"arrow_array"))

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        del requested_schema
        return self._capsules


def _pointers(kind: Any, structures: list[Any]) -> Any:  # noqa: ANN401 - of one of two classes
    pointer = ctypes.POINTER(kind)
    pointers = (pointer * len(structures))(
        *(pointer() if structure is None else ctypes.pointer(structure) for structure in structures)
    )
    _kept.append((pointers, structures))
    return ctypes.cast(pointers, ctypes.POINTER(pointer))


def _capsule(structure: ctypes.Structure, name: bytes) -> object:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(structure), name, None)
