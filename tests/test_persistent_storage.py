"""Storages for sticky values: what becomes of what they raise, their keys, threads."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest
from statsig_python_core import PersistentStorage as OfficialStorage

from engine_under_test import our_answer
from recording_storage import RecordingStorage
from reference import reference_user
from statsig_fastly import PersistentStorage, Statsig, StatsigOptions, StatsigUser
from sticky_checks import USER, check, client
from sticky_specs import PAYLOAD

if TYPE_CHECKING:
    from answers import Answer

# Storages that fail


class _Failing(RecordingStorage):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def save(self, key: str, config_name: str, data: Any) -> None:  # noqa: ANN401
        super().save(key, config_name, data)
        raise self.error

    def delete(self, key: str, config_name: str) -> None:
        super().delete(key, config_name)
        raise self.error


def test_what_a_storage_raises_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    storage = _Failing(ValueError("no\nroom"))
    with client(PAYLOAD, storage) as statsig, caplog.at_level(logging.WARNING, "statsig_fastly"):
        for _ in range(3):
            assert check(statsig, "experiment", "grouped", {}).rule_id == "first"
            assert check(statsig, "experiment", "grouped", None).rule_id == "first"
        assert len(storage.take()) == 6
        storage.error = OSError("offline")
        check(statsig, "experiment", "grouped", {})
    end = "(further ones are not logged)"
    assert [record.getMessage() for record in caplog.records] == [
        f"persistent_storage.save raised ValueError: no room {end}",
        f"persistent_storage.delete raised ValueError: no room {end}",
        f"persistent_storage.save raised OSError: offline {end}",
    ]


def test_an_interrupt_in_a_storage_is_not_swallowed() -> None:
    with client(PAYLOAD, _Failing(KeyboardInterrupt())) as statsig, pytest.raises(KeyboardInterrupt):
        check(statsig, "experiment", "grouped", {})


def test_a_storage_that_makes_checks_itself() -> None:
    class Curious(RecordingStorage):
        def save(self, key: str, config_name: str, data: Any) -> None:  # noqa: ANN401
            super().save(key, config_name, data)
            assert statsig.get_feature_gate(USER, "met").value
            assert statsig.get_layer(USER, "shelf").allocated_experiment_name == "grouped"

    storage = Curious()
    with client(PAYLOAD, storage) as statsig:
        check(statsig, "experiment", "grouped", {})
    assert [call[0] for call in storage.take()] == ["save", "delete"]


def test_many_threads_at_a_time() -> None:
    storage = RecordingStorage()
    start = threading.Barrier(8)

    def checks(number: int) -> list[Answer]:
        start.wait()
        kept = {"grouped": {"rule_id": f"kept-{number}", "json_value": {"n": number}}}
        answers = []
        for index in range(200):
            user = {"userID": f"u-{number}-{index}", "country": "USER"}
            options = {"user_persisted_values": kept if index % 2 else {}}
            answers.append(our_answer(statsig, "experiment", "grouped", user, options))
        return answers

    with client(PAYLOAD, storage) as statsig, ThreadPoolExecutor(8) as pool:
        for number, answers in enumerate(pool.map(checks, range(8))):
            assert {answer.rule_id for answer in answers[1::2]} == {f"kept-{number}"}
            assert {answer.rule_id for answer in answers[::2]} == {"first"}
    assert sorted(call[1] for call in storage.take()) == sorted(
        f"u-{number}-{index}:userID" for number in range(8) for index in range(0, 200, 2)
    )


def test_a_client_and_its_storage_can_be_collected() -> None:
    class Knowing(RecordingStorage):
        statsig: Statsig

    storage = Knowing()
    storage.statsig = Statsig("secret-key", StatsigOptions(persistent_storage=storage))
    gone = weakref.ref(storage)
    del storage
    gc.collect()
    assert gone() is None


# The base class


USERS: Final[list[dict[str, Any]]] = [
    {"user_id": "u-1"},
    {"user_id": ""},
    {"user_id": "é:1", "custom_ids": {"companyID": "c-1"}},
    {"custom_ids": {"companyID": 5}},
    {"custom_ids": {"companyID": 1.5}},
    {"custom_ids": {"companyID": ""}},
]


@pytest.mark.parametrize("fields", USERS, ids=repr)
def test_storage_keys_are_the_official_ones(fields: dict[str, Any]) -> None:
    theirs = reference_user(
        {{"user_id": "userID", "custom_ids": "customIDs"}[k]: v for k, v in fields.items()}
    )
    ours = StatsigUser(**fields)
    for id_type in ("userID", "userid", "USERID", "user_id", "User_ID", "companyID"):
        key = OfficialStorage.get_storage_key(theirs, id_type)
        assert PersistentStorage.get_storage_key(ours, id_type) == key


def test_storage_keys_of_ids_a_user_does_not_have() -> None:
    user = StatsigUser("u-1", custom_ids={"companyid": "c-1"})
    assert PersistentStorage.get_storage_key(user, "teamID") is None
    # As the checks look for it.
    assert PersistentStorage.get_storage_key(user, "companyID") == "c-1:companyID"
    storage = RecordingStorage()
    storage.save("c-1:companyID", "a", {})
    assert storage.get_user_persisted_value(user, "companyID") == {"a": {}}
    assert storage.get_user_persisted_value(user, "teamID") is None
    assert PersistentStorage.get_storage_key("u-2", "user_id") == "u-2:userID"
    assert PersistentStorage.get_storage_key({"userID": "u-3"}, "userID") == "u-3:userID"
    with pytest.raises(TypeError, match="user"):
        PersistentStorage.get_storage_key(5, "userID")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="id_type"):
        PersistentStorage.get_storage_key("u", 5)  # type: ignore[arg-type]


def test_a_storage_has_to_say_how_it_works() -> None:
    class Half(PersistentStorage):
        def load(self, key: str) -> None: ...

    with pytest.raises(TypeError, match="delete"):
        Half()  # type: ignore[abstract]
