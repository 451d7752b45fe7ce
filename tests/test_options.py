"""What `Statsig` is made of: a key and options, checked when they are given, with errors that name them."""

from __future__ import annotations

import threading
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from recording_storage import RecordingStorage
from small_project import TIME, payload
from statsig_fastly import MemoryAdapter, Payload, Statsig, StatsigOptions

HALF_A_PAIR = "\ud83d"


@pytest.mark.parametrize(
    "key", [None, 5, b"secret-key", StatsigOptions()], ids=lambda key: type(key).__name__
)
def test_keys_of_another_type(key: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError) as caught:
        Statsig(key)
    assert str(caught.value) == f"argument 'sdk_key': expected str, got {type(key).__name__}"


@pytest.mark.parametrize("key", ["secret-key\n", "secret key", "secret-é", "\ud800"], ids=ascii)
def test_keys_that_no_header_can_hold_are_refused_without_being_shown(key: str) -> None:
    with pytest.raises(
        ValueError, match=r"^argument 'sdk_key': expected printable ASCII without spaces"
    ) as raised:
        Statsig(key)
    assert key not in str(raised.value)


def test_an_empty_key() -> None:
    with pytest.raises(ValueError, match=r"^argument 'sdk_key': expected a key, got an empty string$"):
        Statsig("")


@pytest.mark.parametrize(
    "options", [{}, 5, "x", StatsigOptions, MemoryAdapter(b"")], ids=lambda value: type(value).__name__
)
def test_options_of_another_type(options: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError) as caught:
        Statsig("secret-key", options)
    assert str(caught.value) == (
        f"argument 'options': expected StatsigOptions or None, got {type(options).__name__}"
    )


def test_arguments_by_name_and_none_at_all() -> None:
    assert not Statsig(sdk_key="secret-key", options=None).is_ready
    assert not Statsig("secret-key").is_ready
    with pytest.raises(TypeError, match="sdk_key"):
        Statsig()  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(TypeError, match="nope"):
        Statsig("secret-key", nope=1)  # type: ignore[call-arg]  # wrong on purpose


class NoClose:
    name = "NoClose"

    def fetch(self, held_version: str | None = None) -> Payload | None:
        raise NotImplementedError(held_version)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("data_adapter", 5),
        ("data_adapter", "FastlyKV"),
        ("data_adapter", NoClose()),
        ("bootstrap", 5),
        ("bootstrap", {"time": 1}),
        ("environment", 5),
        ("environment", b"staging"),
        ("global_custom_fields", 5),
        ("global_custom_fields", [("a", 1)]),
        ("init_timeout_ms", "3000"),
        ("init_timeout_ms", 1.5),
        ("init_timeout_ms", True),
        ("init_timeout_ms", None),
        ("disable_country_lookup", 1),
        ("disable_country_lookup", None),
        ("id_lists", ["L"]),
        ("id_lists", "L"),
    ],
)
def test_options_that_are_of_the_wrong_type(option: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError) as caught:
        StatsigOptions(**{option: value})
    assert str(caught.value).startswith(f"argument '{option}': expected ")
    assert str(caught.value).endswith(f", got {type(value).__name__}")


@pytest.mark.parametrize("timeout", [0, -1])
def test_timeouts_that_are_none(timeout: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^argument 'init_timeout_ms': expected at least 1 ms, got {timeout}$"
    ):
        StatsigOptions(init_timeout_ms=timeout)


@pytest.mark.parametrize(
    "timeout", [int(threading.TIMEOUT_MAX) * 1000 + 10**6, 10**30, 10**400], ids=["longest", "1e30", "1e400"]
)
def test_timeouts_that_no_thread_can_wait_for(timeout: int) -> None:
    # Taken, they fail in the thread that starts the client, as an OverflowError nobody expects there.
    with pytest.raises(ValueError, match=r"^argument 'init_timeout_ms': expected "):
        StatsigOptions(init_timeout_ms=timeout)


@pytest.mark.parametrize(
    "options",
    [
        {"bootstrap": HALF_A_PAIR},
        {"environment": HALF_A_PAIR},
        {"global_custom_fields": {"a": HALF_A_PAIR}},
        {"id_lists": {"L": [HALF_A_PAIR]}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_half_a_surrogate_pair_is_refused_by_name(options: dict[str, Any]) -> None:
    # When the client is made at the latest: a start does not fail for what was known before.
    with pytest.raises(ValueError, match=rf"{next(iter(options))}.*surrogate"):
        Statsig("secret-key", StatsigOptions(**options))


def test_options_that_do_not_exist_or_come_without_a_name() -> None:
    with pytest.raises(TypeError, match="nope"):
        StatsigOptions(nope=1)  # type: ignore[call-arg]  # wrong on purpose
    with pytest.raises(TypeError, match="positional"):
        StatsigOptions(MemoryAdapter(b""))  # type: ignore[call-arg]  # wrong on purpose


def test_options_cannot_be_changed() -> None:
    options = StatsigOptions()
    with pytest.raises(AttributeError):
        options.init_timeout_ms = 5  # type: ignore[misc]  # wrong on purpose


def test_the_repr_of_options_does_not_hold_the_whole_payload() -> None:
    assert repr(StatsigOptions(bootstrap=payload())) == repr(StatsigOptions())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"a": object()}, r"global_custom_fields\[\"a\"\].*got object"),
        ({5: 1}, "global_custom_fields.*got int"),
    ],
)
def test_global_fields_that_cannot_be(fields: Any, says: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=says):
        Statsig("secret-key", StatsigOptions(global_custom_fields=fields))


def test_global_fields_may_be_any_mapping() -> None:
    fields = MappingProxyType({"plan": "pro"})
    with Statsig("secret-key", StatsigOptions(bootstrap=payload(), global_custom_fields=fields)) as statsig:
        assert statsig.check_gate("u-1", "paying")


def test_the_key_is_not_shown() -> None:
    statsig = Statsig("secret-hush-hush", StatsigOptions(data_adapter=MemoryAdapter(payload())))
    assert repr(statsig) == "Statsig(adapter='Memory', source='NoValues', config_time=None)"
    with statsig:
        assert repr(statsig) == f"Statsig(adapter='Memory', source='Adapter(Memory)', config_time={TIME})"
    assert "hush-hush" not in repr(statsig) + repr(vars(statsig))


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        (5, "got int, which has no load and no save and no delete"),
        ({}, "got dict, which has no load and no save and no delete"),
        (SimpleNamespace(load=print, save=print), "got SimpleNamespace, which has no delete"),
        (SimpleNamespace(load=print, save=5, delete=print), "got SimpleNamespace, which has no save"),
        (RecordingStorage, "got the class RecordingStorage"),
    ],
    ids=repr,
)
def test_storages_that_cannot_be(storage: Any, says: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError) as caught:
        StatsigOptions(persistent_storage=storage)
    expected = "argument 'persistent_storage': expected an object with load, save and delete, or None"
    assert str(caught.value) == f"{expected}; {says}"


def test_a_storage_need_not_inherit() -> None:
    storage: Any = SimpleNamespace(load=print, save=print, delete=print)
    assert StatsigOptions(persistent_storage=storage).persistent_storage is storage
