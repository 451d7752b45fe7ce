"""`Statsig.sync`: what is used, what is refused, and what becomes of adapters that do odd things."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from logged import troubles
from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import (
    AdapterError,
    MemoryAdapter,
    Payload,
    PayloadError,
    Statsig,
    StatsigFastlyError,
    StatsigOptions,
    SyncDetails,
)

HTML = b"<!doctype html><title>502</title>"


def started(*answers: object) -> tuple[Statsig, ScriptedAdapter]:
    adapter = ScriptedAdapter(*answers)
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    assert statsig.initialize().wait(PATIENCE)
    return statsig, adapter


def number(statsig: Statsig) -> object:
    return statsig.get_dynamic_config("u-1", "number").get("a")


def synced(statsig: Statsig) -> SyncDetails:
    return statsig.sync().result(PATIENCE)


# What is used and what is not


def test_something_newer_is_used() -> None:
    statsig, adapter = started(payload(), payload(TIME + 1, 2))
    details = synced(statsig)
    assert details == SyncDetails("applied", TIME + 1)
    assert details.changed
    assert number(statsig) == 2
    assert adapter.held == [None, "version 1"]


def test_nothing_new() -> None:
    statsig, adapter = started(payload(), None)
    assert synced(statsig) == SyncDetails("unchanged", TIME)
    assert number(statsig) == 1
    assert synced(statsig).error is None
    assert adapter.held == [None, "version 1", "version 1"]


def test_something_older_is_refused() -> None:
    statsig, _ = started(payload(TIME, 1), payload(TIME - 1, 2), payload(TIME + 1, 3))
    assert synced(statsig) == SyncDetails("older", TIME)
    assert number(statsig) == 1
    assert synced(statsig).changed
    assert number(statsig) == 3


def test_the_same_checksum_is_refused_and_another_is_not() -> None:
    statsig, _ = started(
        payload(TIME, 1, "a"), payload(TIME, 2, "a"), payload(TIME + 5, 3, "a"), payload(TIME, 4, "b")
    )
    assert not synced(statsig).changed
    assert not synced(statsig).changed
    assert number(statsig) == 1
    assert synced(statsig).changed
    assert number(statsig) == 4


def test_the_same_time_without_a_checksum_is_used() -> None:
    statsig, _ = started(payload(TIME, 1), payload(TIME, 2))
    assert synced(statsig).changed
    assert number(statsig) == 2


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"  ",
        HTML,
        b"[]",
        b"null",
        payload()[:-1],
        b"\xff\xfe",
        b"{}",
        payload().replace(str(TIME).encode(), b'"yesterday"', 1),
    ],
)
def test_a_bad_payload_is_refused_and_the_old_ruleset_stays(bad: bytes) -> None:
    statsig, adapter = started(payload(), bad, payload(TIME + 1, 2))
    details = synced(statsig)
    assert type(details.error) is PayloadError
    assert "\n" not in str(details.error)
    assert (details.changed, details.config_time) == (False, TIME)
    assert number(statsig) == 1
    assert statsig.get_feature_gate("u-1", "on").details.reason == "Adapter(Scripted):Recognized"
    # What was refused is not held: the next look must not be told that it is still there.
    assert synced(statsig).changed
    assert adapter.held == [None, "version 1", "version 1"]
    assert number(statsig) == 2


def test_no_updates_keeps_what_is_there() -> None:
    statsig, _ = started(payload(), b'{"has_updates":false}')
    assert synced(statsig) == SyncDetails("no_updates", TIME)
    assert number(statsig) == 1


def test_sync_can_be_the_first_thing() -> None:
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(payload())))
    assert synced(statsig).changed
    assert statsig.is_ready
    assert number(statsig) == 1


def test_sync_without_an_adapter() -> None:
    statsig = Statsig("secret-key", StatsigOptions(bootstrap=payload()))
    with statsig, pytest.raises(RuntimeError, match=r"no data_adapter.*StatsigOptions\.data_adapter"):
        statsig.sync()


def test_sync_can_be_awaited_and_the_loop_goes_on() -> None:
    held_back = HeldBack(payload(TIME + 1, 2))
    statsig, _ = started(payload(), held_back)

    async def main() -> SyncDetails:
        sync = statsig.sync()
        await asyncio.get_running_loop().run_in_executor(None, held_back.asked.wait, PATIENCE)
        assert number(statsig) == 1
        held_back.let_go.set()
        return await sync

    assert asyncio.run(asyncio.wait_for(main(), PATIENCE)).changed
    assert number(statsig) == 2


def test_of_two_syncs_at_once_the_newer_payload_stays() -> None:
    slow_and_old = HeldBack(payload(TIME + 1, 2))
    statsig, _ = started(payload(), slow_and_old, payload(TIME + 2, 3))
    slow = statsig.sync()
    assert slow_and_old.asked.wait(PATIENCE)
    assert synced(statsig).changed
    slow_and_old.let_go.set()
    assert not slow.result(PATIENCE).changed
    assert (number(statsig), statsig.config_time) == (3, TIME + 2)


def test_a_sync_that_shutdown_overtakes_still_ends() -> None:
    held_back = HeldBack(payload(TIME + 1, 2))
    statsig, adapter = started(payload(), held_back)
    sync = statsig.sync()
    assert held_back.asked.wait(PATIENCE)
    statsig.shutdown().result(PATIENCE)
    assert adapter.closed == 1
    held_back.let_go.set()
    assert sync.result(PATIENCE).error is None


# Adapters that do odd things


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


ODD_EXCEPTIONS = [
    KeyError("missing"),
    RuntimeError(),
    ValueError("two\nlines"),
    MemoryError(),
    RecursionError("too deep"),
    StopIteration(5),
    StatsigFastlyError("of this package"),
    UnspeakableError(),
    asyncio.CancelledError(),
    SystemExit(3),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("raised", ODD_EXCEPTIONS, ids=lambda raised: type(raised).__name__)
def test_whatever_an_adapter_raises_is_an_adapter_error_of_one_line(raised: BaseException) -> None:
    statsig, _ = started(raised)
    details = statsig.get_initialize_details()
    assert details.failure_details is not None
    assert details.failure_details.error == "AdapterError"
    assert statsig.get_feature_gate("u-1", "on").details.reason == "NoValues"
    error = synced(statsig).error
    assert type(error) is AdapterError
    assert str(error) == details.failure_details.reason
    assert str(error).startswith(f"Scripted raised {type(raised).__name__}")
    assert "\n" not in str(error)
    assert not str(error).endswith(": ")


@pytest.mark.parametrize("raised", [AdapterError("as it is", status=404), PayloadError("as it is")])
def test_errors_of_this_package_are_passed_on_as_they_are(raised: StatsigFastlyError) -> None:
    statsig, _ = started(payload(), raised)
    details = synced(statsig)
    assert details.error is raised
    assert (details.changed, details.config_time, number(statsig)) == (False, TIME, 1)


@pytest.mark.parametrize(
    "returned", ["text", 5, {"body": b"{}"}, object()], ids=lambda value: type(value).__name__
)
def test_an_adapter_that_returns_no_payload(returned: object) -> None:
    statsig, _ = started(payload(), returned)
    error = synced(statsig).error
    assert type(error) is AdapterError
    assert "Scripted" in str(error)
    assert "Payload" in str(error)
    assert type(returned).__name__ in str(error)
    assert number(statsig) == 1


@pytest.mark.parametrize("body", [payload().decode(), None, 5], ids=lambda value: type(value).__name__)
def test_a_payload_whose_body_is_not_bytes(body: Any) -> None:  # noqa: ANN401
    statsig, _ = started(payload(), Payload(body, "v"))
    error = synced(statsig).error
    assert type(error) is AdapterError
    assert "Scripted" in str(error)
    assert "bytes" in str(error)
    assert number(statsig) == 1


def test_an_adapter_that_calls_back() -> None:
    found: list[object] = []

    def answer() -> bytes:
        found.append(statsig.get_feature_gate("u-1", "on").details.reason)
        found.append(statsig.is_ready)
        found.append(statsig.initialize().done())
        return payload()

    statsig = Statsig("secret-key", StatsigOptions(data_adapter=ScriptedAdapter(answer)))
    assert statsig.initialize().result(PATIENCE).init_success
    assert found == ["Uninitialized", False, False]


def test_the_version_of_an_older_payload_is_not_remembered() -> None:
    adapter = ScriptedAdapter(Payload(payload(TIME + 1), "new"), Payload(payload(TIME), "old"), None)
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    statsig.initialize().result(PATIENCE)
    assert not statsig.sync().result(PATIENCE).changed
    statsig.sync().result(PATIENCE)
    assert adapter.held == [None, "new", "new"]


def test_a_failure_is_logged_once_and_again_when_its_cause_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    adapter = ScriptedAdapter(
        Payload(payload(TIME)),
        AdapterError("no answer"),
        AdapterError("no answer"),
        AdapterError("wrong token"),
        None,
        None,
    )
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    statsig.initialize().result(PATIENCE)
    for _ in range(5):
        statsig.sync().result(PATIENCE)
    assert [text for _, text in troubles(caplog)] == [
        "Statsig could not be synced: no answer",
        "Statsig could not be synced: wrong token",
        "Statsig can be synced again",
    ]


def test_a_failure_that_comes_after_the_start_was_given_up_is_logged() -> None:
    logged = threading.Event()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "Statsig could not be synced: no answer":
                logged.set()

    def fail() -> None:
        raise AdapterError("no answer")

    held_back = HeldBack(None, then=fail)
    listening = Listening()
    logging.getLogger("statsig_fastly").addHandler(listening)
    try:
        options = StatsigOptions(data_adapter=ScriptedAdapter(held_back), init_timeout_ms=1)
        details = Statsig("secret-key", options).initialize().result(PATIENCE)
        assert details.failure_details is not None
        assert not logged.is_set()
        held_back.let_go.set()
        assert logged.wait(PATIENCE)
    finally:
        logging.getLogger("statsig_fastly").removeHandler(listening)
