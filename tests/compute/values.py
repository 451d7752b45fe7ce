"""Values between a component and Python, where `wasmtime` needs help.

Bytes go over in one copy: one by one, 430 KB of a payload take half a second. And a result is always a
`Variant`: by the types of its values alone, what is an error cannot always be told from what is none.
"""

from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any

from wasmtime import _ffi as ffi
from wasmtime.component import ListType, ResultType, Variant
from wasmtime.component._types import U8

__all__ = ["err", "improve_wasmtime", "ok"]

_STRIDE = ctypes.sizeof(ffi.wasmtime_component_val_t)
_VALUE_AT = ffi.wasmtime_component_val_t.of.offset
_KIND_AT = ffi.wasmtime_component_val_t.kind.offset


def ok(value: Any = None) -> Variant:
    """The result of a call that worked."""
    return Variant("ok", value)


def err(value: Any) -> Variant:
    """The result of a call that did not."""
    return Variant("err", value)


def improve_wasmtime() -> None:
    """Puts what is here in place. A second call changes nothing."""
    if getattr(ListType, "copies_bytes", False):
        return
    to_c, from_c = ListType.convert_to_c, ListType.convert_from_c

    def convert_to_c(self: Any, store: Any, value: Any, pointer: Any) -> None:
        if not isinstance(value, bytes) or not isinstance(self.element, U8):
            to_c(self, store, value, pointer)
            return
        raw = ffi.wasmtime_component_vallist_t()
        ffi.wasmtime_component_vallist_new_uninit(raw, len(value))
        spread = bytearray(_STRIDE * len(value))
        spread[_KIND_AT::_STRIDE] = bytes([ffi.WASMTIME_COMPONENT_U8.value]) * len(value)
        spread[_VALUE_AT::_STRIDE] = value
        if value:
            ctypes.memmove(raw.data, bytes(spread), len(spread))
        pointer.contents.kind = ffi.WASMTIME_COMPONENT_LIST
        pointer.contents.of.list = raw

    def convert_from_c(self: Any, value: Any) -> Any:
        if not isinstance(self.element, U8):
            return from_c(self, value)
        found = value.of.list
        spread = ctypes.string_at(found.data, _STRIDE * found.size) if found.size else b""
        ffi.wasmtime_component_vallist_delete(byref(value.of.list))
        return spread[_VALUE_AT::_STRIDE]

    ListType.convert_to_c, ListType.convert_from_c = convert_to_c, convert_from_c
    ListType.copies_bytes = True
    ResultType._tagged = lambda _: True
