"""`DataStoreAdapter`: keys in the store, what is shown of them, and arguments."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from statsig_python_core import DataStore

from data_stores import KEY, SPECS, V2_KEY, V3_KEY, KeptText, Returning
from printable import everything_printable
from statsig_fastly import AdapterError, DataStoreAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("arguments", "key", "shown"),
    [
        ({"sdk_key": KEY}, V2_KEY, V2_KEY),
        ({"sdk_key": KEY, "key_schema": "v3"}, V3_KEY, V3_KEY.replace(KEY[:20], "[SDK key]")),
        ({"key": "statsig.cache"}, "statsig.cache", "statsig.cache"),
        ({"sdk_key": KEY, "key": f"x/{KEY}"}, f"x/{KEY}", "x/[SDK key]"),
    ],
)
def test_the_key_in_the_store(arguments: Mapping[str, Any], key: str, shown: str) -> None:
    asked: list[str] = []

    class Telling:
        def get(self, key: str) -> None:
            asked.append(key)
            if len(asked) > 1:
                # Long enough that what is said of it has to be cut in the middle of the key.
                raise KeyError("x" * 280 + key.partition("plain_text|")[2] or key)

    adapter = DataStoreAdapter(Telling(), **arguments)
    for _ in range(2):
        with pytest.raises(AdapterError) as caught:
            adapter.fetch()
        assert str(caught.value).startswith(f"reading key {shown!r} of Telling: ")
        if shown != key:
            assert KEY[:15] not in str(caught.value)
            # What the store itself tells is not ours.
            caught.value.__cause__ = caught.value.__context__ = None
            assert KEY[:15] not in everything_printable(caught.value)
    assert asked == [key, key]
    assert shown in repr(adapter)


def test_nothing_shows_the_key() -> None:
    adapter = DataStoreAdapter(Returning(SPECS), KEY, key_schema="v3")
    shown = (
        repr(adapter) + repr([getattr(adapter, slot) for slot in type(adapter).__slots__]) + adapter.identity
    )
    assert KEY[:12] not in shown
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="may hold part of an SDK key and cannot be pickled or copied"):
            attempt(adapter)


def test_its_identity_tells_sources_apart() -> None:
    same = [DataStoreAdapter(Returning(SPECS), KEY).identity for _ in range(2)]
    others = [
        DataStoreAdapter(KeptText(), KEY).identity,
        DataStoreAdapter(Returning(SPECS), KEY + "1").identity,
        DataStoreAdapter(Returning(SPECS), KEY, key_schema="v3").identity,
        DataStoreAdapter(Returning(SPECS), key="statsig.cache").identity,
    ]
    assert len({*same, *others}) == 5


# Arguments


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"store": None}, TypeError, "store: expected an object with get, such as a DataStore; got NoneType"),
        (
            {"store": {"a": 1}.values()},
            TypeError,
            "store: expected an object with get, such as a DataStore; got",
        ),
        (
            {"store": KeptText},
            TypeError,
            "store: expected an object with get, such as a DataStore; got the class",
        ),
        (
            {"store": DataStore()},
            TypeError,
            "store: expected an object with get, such as a DataStore; got DataS",
        ),
        ({"sdk_key": None}, ValueError, "sdk_key: expected an SDK key, got None; give it, or the key"),
        ({"sdk_key": ""}, ValueError, "sdk_key: expected an SDK key, got ''"),
        ({"sdk_key": 5}, TypeError, "sdk_key: expected str, got int"),
        ({"sdk_key": f"{KEY} "}, ValueError, "sdk_key: expected printable ASCII"),
        ({"key": ""}, ValueError, "key: expected text, got ''"),
        ({"key": 5}, TypeError, "key: expected str, got int"),
        ({"key_schema": "v1"}, ValueError, "key_schema: expected 'v2' or 'v3', got 'v1'"),
        ({"key_schema": {}}, ValueError, "key_schema: expected 'v2' or 'v3', got {}"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        DataStoreAdapter(**{"store": Returning(SPECS), "sdk_key": KEY, **arguments})
    assert str(caught.value).startswith(says)
    assert KEY not in str(caught.value)
