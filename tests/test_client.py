"""`Statsig`: how it starts, what it starts with, and how it stops."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload, project
from statsig_fastly import (
    AdapterError,
    Completion,
    FailureDetails,
    InitializeDetails,
    MemoryAdapter,
    Statsig,
    StatsigOptions,
    StatsigUser,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def client_of(*answers: object, **options: Any) -> Statsig:  # noqa: ANN401 - as StatsigOptions takes them
    return Statsig("secret-key", StatsigOptions(data_adapter=ScriptedAdapter(*answers), **options))


def reason(statsig: Statsig, name: str = "on") -> str:
    return statsig.get_feature_gate("u-1", name).details.reason


# Starting


STARTED = InitializeDetails(0, True, True, None, "Adapter(Scripted)", None)


def without_duration(details: InitializeDetails) -> InitializeDetails:
    assert 0 <= details.duration_ms < PATIENCE * 1000
    assert (details.config_age is None) == (not details.init_success)
    return dataclasses.replace(details, duration_ms=0, config_age=None)


@pytest.mark.parametrize("method", ["initialize", "initialize_with_details"])
def test_start_and_wait(method: str) -> None:
    statsig = client_of(payload())
    start = getattr(statsig, method)()
    assert isinstance(start, Completion)
    assert start.wait(PATIENCE)
    assert without_duration(start.result()) == STARTED
    assert statsig.get_initialize_details() is start.result()
    assert (statsig.is_ready, statsig.is_initialized(), statsig.config_time) == (True, True, TIME)
    assert reason(statsig) == "Adapter(Scripted):Recognized"


def test_start_and_await() -> None:
    async def main() -> None:
        statsig = client_of(payload())
        assert without_duration(await statsig.initialize()) == STARTED
        assert statsig.check_gate("u-1", "on")
        await statsig.shutdown()

    asyncio.run(main())


def test_with() -> None:
    adapter = ScriptedAdapter(payload())
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    with statsig as entered:
        assert entered is statsig
        assert statsig.check_gate("u-1", "on")
        assert adapter.closed == 0
    assert adapter.closed == 1


def test_async_with() -> None:
    adapter = ScriptedAdapter(payload())

    async def main() -> None:
        async with Statsig("secret-key", StatsigOptions(data_adapter=adapter)) as statsig:
            assert statsig.check_gate("u-1", "on")
            assert adapter.closed == 0

    asyncio.run(main())
    assert adapter.closed == 1


def test_the_event_loop_goes_on_while_it_starts() -> None:
    held_back = HeldBack(payload())

    async def main() -> bool:
        async with client_of(held_back) as statsig:
            return statsig.check_gate("u-1", "on")

    async def both() -> bool:
        starting = asyncio.create_task(main())
        # A loop that is blocked by the start would never come to let it go.
        await asyncio.get_running_loop().run_in_executor(None, held_back.asked.wait, PATIENCE)
        held_back.let_go.set()
        return await starting

    assert asyncio.run(asyncio.wait_for(both(), PATIENCE))


def test_before_it_has_started() -> None:
    held_back = HeldBack(payload())
    statsig = client_of(held_back)
    start = statsig.initialize()
    assert held_back.asked.wait(PATIENCE)
    assert not start.done()
    assert reason(statsig) == "Uninitialized"
    details = statsig.get_initialize_details()
    assert (details.init_success, details.source) == (False, "NoValues")
    held_back.let_go.set()
    assert start.result(PATIENCE).init_success
    assert reason(statsig) == "Adapter(Scripted):Recognized"


def test_starting_again_does_nothing() -> None:
    adapter = ScriptedAdapter(payload(), payload(TIME + 1, 2))
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    first = statsig.initialize()
    assert first.wait(PATIENCE)
    assert statsig.initialize() is statsig.initialize_with_details() is first
    assert adapter.held == [None]
    assert statsig.config_time == TIME


def test_threads_that_start_it_at_once_share_one_start() -> None:
    held_back = HeldBack(payload())
    adapter = ScriptedAdapter(held_back)
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    together = threading.Barrier(8)

    def start() -> Completion[InitializeDetails]:
        together.wait(PATIENCE)
        return statsig.initialize()

    with ThreadPoolExecutor(8) as pool:
        starts = [future.result(PATIENCE) for future in [pool.submit(start) for _ in range(8)]]
    assert len({id(one) for one in starts}) == 1
    held_back.let_go.set()
    assert starts[0].result(PATIENCE).init_success
    assert adapter.held == [None]


def test_a_start_that_failed_can_be_tried_again() -> None:
    statsig = client_of(AdapterError("the store is on fire", status=503), payload())
    first = statsig.initialize()
    details = first.result(PATIENCE)
    assert not details.init_success
    assert details.failure_details == FailureDetails("the store is on fire", "AdapterError", "Scripted")
    assert reason(statsig) == "NoValues"
    second = statsig.initialize()
    assert second is not first
    assert without_duration(second.result(PATIENCE)) == STARTED
    assert without_duration(statsig.get_initialize_details()) == STARTED
    assert reason(statsig) == "Adapter(Scripted):Recognized"


def test_a_slow_adapter_is_not_waited_for_and_what_it_brings_is_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held_back = HeldBack(payload(TIME + 1, 2))
    statsig = client_of(held_back, bootstrap=payload(), init_timeout_ms=1)
    details = statsig.initialize().result(PATIENCE)
    assert held_back.asked.wait(PATIENCE)
    assert details.failure_details is not None
    assert details.failure_details.reason.startswith("Scripted did not answer within 1 ms")
    assert (details.init_success, details.source) == (True, "Bootstrap")
    assert reason(statsig) == "Bootstrap:Recognized"
    assert [record.name for record in caplog.records] == ["statsig_fastly"]
    loaded = wait_for_the_end_of("statsig-fastly-sync")
    held_back.let_go.set()
    loaded()
    assert reason(statsig) == "Adapter(Scripted):Recognized"
    assert statsig.config_time == TIME + 1
    assert statsig.get_dynamic_config("u-1", "number")["a"] == 2


def wait_for_the_end_of(name: str) -> Callable[[], None]:
    """Finds the threads of that name now; the function returned waits until they have ended."""
    threads = [thread for thread in threading.enumerate() if thread.name == name]
    assert threads

    def wait() -> None:
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    return wait


def test_a_slow_adapter_and_nothing_else() -> None:
    held_back = HeldBack(payload())
    statsig = client_of(held_back, init_timeout_ms=1)
    details = statsig.initialize().result(PATIENCE)
    assert (details.init_success, details.source) == (False, "NoValues")
    assert reason(statsig) == "NoValues"
    assert held_back.asked.wait(PATIENCE)
    loaded = wait_for_the_end_of("statsig-fastly-sync")
    held_back.let_go.set()
    loaded()
    assert statsig.is_ready
    assert reason(statsig) == "Adapter(Scripted):Recognized"


def test_a_timeout_may_be_very_long() -> None:
    details = client_of(payload(), init_timeout_ms=10**12).initialize().result(PATIENCE)
    assert without_duration(details) == STARTED


@pytest.mark.parametrize("bootstrap", [payload(), payload().decode()], ids=["bytes", "text"])
def test_bootstrap_alone(bootstrap: str | bytes) -> None:
    with Statsig("secret-key", StatsigOptions(bootstrap=bootstrap)) as statsig:
        assert statsig.get_initialize_details().source == "Bootstrap"
        assert statsig.get_initialize_details().failure_details is None
        assert reason(statsig) == "Bootstrap:Recognized"


def test_bootstrap_where_the_adapter_fails() -> None:
    statsig = client_of(AdapterError("the store is on fire"), payload(TIME + 1), bootstrap=payload())
    details = statsig.initialize().result(PATIENCE)
    assert (details.init_success, details.source) == (True, "Bootstrap")
    assert details.failure_details == FailureDetails("the store is on fire", "AdapterError", "Scripted")
    assert statsig.sync().result(PATIENCE).changed
    assert reason(statsig) == "Adapter(Scripted):Recognized"


def test_bootstrap_is_not_used_where_the_adapter_works() -> None:
    with client_of(payload(), bootstrap=payload(TIME + 1)) as statsig:
        assert statsig.config_time == TIME
        assert reason(statsig) == "Adapter(Scripted):Recognized"


def test_both_fail(caplog: pytest.LogCaptureFixture) -> None:
    details = client_of(AdapterError("on fire"), bootstrap="<html>").initialize().result(PATIENCE)
    assert (details.init_success, details.source) == (False, "NoValues")
    assert details.failure_details is not None
    assert details.failure_details.error == "PayloadError"
    assert details.failure_details.reason.startswith("bootstrap: the payload is not a JSON object")
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("statsig_fastly", logging.WARNING)
    ]


def test_nothing_to_load() -> None:
    details = Statsig("secret-key").initialize().result(PATIENCE)
    assert not details.init_success
    assert details.failure_details == FailureDetails(
        "there is nothing to load: set StatsigOptions.data_adapter or bootstrap"
    )


def test_an_adapter_that_says_nothing_is_new_at_the_start() -> None:
    # There is nothing in use, so there must be a reason for it.
    details = client_of(None).initialize().result(PATIENCE)
    assert not details.init_success
    assert details.failure_details is not None
    assert "Scripted" in details.failure_details.reason


def test_a_payload_without_updates_at_the_start() -> None:
    details = client_of(b'{"has_updates":false}').initialize().result(PATIENCE)
    assert details.failure_details is not None
    assert details.failure_details.error == "PayloadError"
    assert "has_updates" in details.failure_details.reason


def test_specs_that_are_left_out_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    specs = project()
    for number in range(12):
        specs["feature_gates"].append({"name": f"broken {number}"})
    with Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(specs))) as statsig:
        assert statsig.check_gate("u-1", "on")
        assert reason(statsig, "broken 3") == "Adapter(Memory):Unrecognized"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 11
    assert lines[0].startswith("gate 'broken 0': left out: ")
    assert lines[-1] == "the payload has 2 more faults"


# Stopping


def test_the_adapter_is_closed_once() -> None:
    adapter = ScriptedAdapter(payload())
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    with statsig:
        statsig.shutdown().result(PATIENCE)
    for _ in range(3):
        statsig.shutdown().result(PATIENCE)
    assert adapter.closed == 1


def test_threads_that_stop_it_at_once_close_the_adapter_once() -> None:
    adapter = ScriptedAdapter(payload())
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    together = threading.Barrier(8)

    def stop() -> bool:
        together.wait(PATIENCE)
        return statsig.shutdown().wait(PATIENCE)

    with ThreadPoolExecutor(8) as pool:
        assert all(future.result(PATIENCE) for future in [pool.submit(stop) for _ in range(8)])
    assert adapter.closed == 1


def test_after_it_was_stopped_checks_go_on_and_nothing_else_does() -> None:
    statsig = client_of(payload())
    with statsig:
        pass
    assert statsig.check_gate("u-1", "on")
    assert statsig.get_experiment(StatsigUser("u-1", country="NZ"), "button").group_name == "Blue"
    for method in (statsig.initialize, statsig.initialize_with_details, statsig.sync):
        with pytest.raises(RuntimeError, match="was shut down: make a new one"):
            method()
    with pytest.raises(RuntimeError, match="was shut down"), statsig:
        pass
    assert statsig.get_initialize_details().init_success


def test_stopping_without_starting() -> None:
    adapter = ScriptedAdapter(payload())
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    statsig.shutdown().result(PATIENCE)
    assert (adapter.closed, adapter.held) == (1, [])
    assert reason(statsig) == "Uninitialized"
    Statsig("secret-key").shutdown().result(0)


class OwnError(Exception):
    pass


def test_an_error_inside_with_is_not_replaced_by_one_of_the_adapter() -> None:
    adapter = ScriptedAdapter(payload())
    adapter.close_error = OSError("close failed")
    with pytest.raises(OwnError), Statsig("secret-key", StatsigOptions(data_adapter=adapter)):
        raise OwnError

    async def main() -> None:
        async with Statsig("secret-key", StatsigOptions(data_adapter=adapter)):
            raise OwnError

    with pytest.raises(OwnError):
        asyncio.run(main())
    assert adapter.closed == 2


def test_leaving_with_does_not_raise_what_the_adapter_raises() -> None:
    adapter = ScriptedAdapter(payload())
    adapter.close_error = OSError("close failed")
    with Statsig("secret-key", StatsigOptions(data_adapter=adapter)):
        pass

    async def main() -> None:
        async with Statsig("secret-key", StatsigOptions(data_adapter=adapter)):
            pass

    asyncio.run(main())
    assert adapter.closed == 2


def test_a_client_and_its_adapter_are_freed_together() -> None:
    class Attached(ScriptedAdapter):
        statsig: Statsig | None = None

    adapter = Attached(payload())
    adapter.statsig = statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    with statsig:
        pass
    gone = weakref.ref(statsig), weakref.ref(adapter)
    del statsig, adapter
    gc.collect()
    assert [reference() for reference in gone] == [None, None]
