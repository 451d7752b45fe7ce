"""What a client tells of its looks: counts, callbacks, staleness, and each trouble once in the log."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from logged import troubles
from scripted_adapter import PATIENCE, HeldBack, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import (
    AdapterError,
    MemoryAdapter,
    Payload,
    Statsig,
    StatsigOptions,
    SyncDetails,
    SyncPolicy,
    SyncStats,
)
from sync_parts import parts_of

if TYPE_CHECKING:
    from pathlib import Path

DOWN = AdapterError("the store is on fire", status=503)


# Numbers


def test_before_the_first_look() -> None:
    stats = parts_of(ScriptedAdapter(payload())).account.stats()
    assert stats == SyncStats(
        source="NoValues",
        config_time=None,
        config_age=None,
        version=None,
        unconfirmed=None,
        is_stale=False,
        last_success_at=None,
        last_error=None,
        last_error_at=None,
        failing=0,
        looks=0,
        applied=0,
        unchanged=0,
        older=0,
        no_updates=0,
        refused=0,
        failed=0,
        left_to_another=0,
        taken_from_another=0,
    )


def test_all_numbers() -> None:
    parts = parts_of(
        ScriptedAdapter(
            Payload(payload(), "one"), None, payload(TIME - 1), b'{"has_updates":false}', b"{", DOWN, DOWN
        )
    )
    outcomes = []
    for _ in range(6):
        outcomes.append(parts.looker.look().outcome)
        parts.pass_by(7)
    assert outcomes == ["applied", "unchanged", "older", "no_updates", "refused", "failed"]
    stats = parts.account.stats()
    assert (stats.source, stats.config_time, stats.version) == ("Adapter(Scripted)", TIME, "one")
    assert stats.config_age == pytest.approx(parts.wall.now - TIME / 1000, abs=1e-3) or stats.config_age == 0
    assert stats.last_success_at == parts.wall.now - 21
    assert stats.unconfirmed == pytest.approx(21)
    assert (stats.last_error, stats.last_error_at) == ("the store is on fire", parts.wall.now - 7)
    assert (stats.failing, stats.looks) == (2, 6)
    assert {getattr(stats, name) for name in outcomes} == {1}
    assert (stats.left_to_another, stats.taken_from_another) == (0, 0)


def test_stats_of_a_client() -> None:
    with Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(payload()))) as statsig:
        sync = statsig.stats().sync
        assert (sync.source, sync.looks, sync.applied, sync.failing) == ("Adapter(Memory)", 1, 1, 0)
        assert sync.unconfirmed is not None
    with Statsig("secret-key", StatsigOptions(bootstrap=payload())) as statsig:
        sync = statsig.stats().sync
        assert (sync.source, sync.looks, sync.unconfirmed) == ("Bootstrap", 0, None)


# Callbacks


def test_on_update() -> None:
    told: list[SyncDetails] = []
    in_use: list[object] = []

    def updated(details: SyncDetails) -> None:
        told.append(details)
        in_use.append(statsig.get_dynamic_config("u-1", "number").get("a"))

    adapter = ScriptedAdapter(payload(), None, payload(TIME - 1), DOWN, payload(TIME + 1, 2))
    options = StatsigOptions(data_adapter=adapter, on_update=updated, sync_policy=SyncPolicy.manual())
    statsig = Statsig("secret-key", options)
    statsig.initialize().wait(PATIENCE)
    for _ in range(4):
        statsig.sync().result(PATIENCE)
    assert told == [SyncDetails("applied", TIME), SyncDetails("applied", TIME + 1)]
    assert in_use == [1, 2]
    statsig.shutdown().wait(PATIENCE)


def test_a_callback_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("in the application")

    parts = parts_of(ScriptedAdapter(payload()), on_update=fails)
    assert parts.looker.look().outcome == "applied"
    assert troubles(caplog) == [(logging.WARNING, "on_update failed")]


def test_a_callback_that_ends_the_program_does_not_end_the_looks(caplog: pytest.LogCaptureFixture) -> None:
    def ends(_: object) -> None:
        sys.exit(3)

    parts = parts_of(ScriptedAdapter(payload(), payload(TIME + 1)), on_update=ends)
    assert [parts.looker.look().outcome for _ in range(2)] == ["applied", "applied"]
    assert troubles(caplog) == [(logging.WARNING, "on_update failed")] * 2


def test_a_cause_with_a_number_that_counts_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    errors = [AdapterError(f"busy; Retry-After: {number * 1.5} s") for number in range(20)]
    parts = parts_of(ScriptedAdapter(payload(), *errors))
    for _ in range(20):
        parts.looker.look()
    assert troubles(caplog) == [(logging.WARNING, "Statsig could not be synced: busy; Retry-After: 0.0 s")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_numbers_of_a_child_are_its_own() -> None:
    told: list[SyncStats] = []
    parts = parts_of(ScriptedAdapter(payload(), DOWN), stale_after=60, on_stale=told.append)
    parts.looker.look()
    parts.looker.look()
    parts.pass_by(1000)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            stats = parts.account.stats()
            parts.account.check_stale()
            status = 0 if (stats.looks, stats.failing, stats.is_stale, told) == (0, 0, False, []) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert parts.account.stats().looks == 2


@pytest.mark.parametrize("name", ["on_update", "on_stale"])
def test_a_callback_that_is_none(name: str) -> None:
    with pytest.raises(TypeError, match=f"argument '{name}': expected a function or None, got str"):
        StatsigOptions(**{name: "print"})  # type: ignore[arg-type]


# Staleness


def test_it_becomes_stale_once_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    told: list[SyncStats] = []
    parts = parts_of(
        ScriptedAdapter(payload(), DOWN, DOWN, DOWN, None, DOWN), stale_after=60, on_stale=told.append
    )
    assert parts.looker.look().changed
    for _ in range(3):
        parts.pass_by(25)
        parts.looker.look()
    assert [stats.is_stale for stats in told] == [True]
    assert told[0].unconfirmed == pytest.approx(75)
    assert troubles(caplog) == [
        (logging.WARNING, "Statsig could not be synced: the store is on fire"),
        (
            logging.WARNING,
            "the ruleset is stale: for 75 s no look at Scripted has succeeded: the store is on fire",
        ),
    ]
    assert parts.account.stats().is_stale
    parts.looker.look()
    assert not parts.account.stats().is_stale
    assert (logging.INFO, "the ruleset is no longer stale") in troubles(caplog)
    parts.pass_by(61)
    parts.looker.look()
    assert len(told) == 2


def test_the_background_thread_notices_between_two_looks() -> None:
    told: list[SyncStats] = []
    parts = parts_of(
        ScriptedAdapter(payload(), DOWN), SyncPolicy.background(1000), stale_after=30, on_stale=told.append
    )
    parts.schedule._thread.signal = lambda: True  # type: ignore[method-assign]
    parts.schedule.start(parts.looker.look())
    wait = parts.schedule.step()
    assert wait == pytest.approx(30)
    parts.pass_by(30)
    wait = parts.schedule.step()
    assert [stats.unconfirmed for stats in told] == [pytest.approx(30)]
    assert wait is not None
    assert wait > 900


def test_a_client_that_never_had_anything_becomes_stale() -> None:
    stale = threading.Event()
    options = StatsigOptions(
        data_adapter=ScriptedAdapter(DOWN),
        sync_policy=SyncPolicy.background(0.01),
        stale_after=0.05,
        on_stale=lambda stats: stale.set() if stats.is_stale else None,
    )
    with Statsig("secret-key", options) as statsig:
        assert stale.wait(PATIENCE)
        assert statsig.stats().sync.is_stale


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (0, ValueError, "'stale_after': expected seconds above 0, got 0"),
        (float("nan"), ValueError, "'stale_after': expected seconds above 0, got nan"),
        (1e300, ValueError, "'stale_after': expected seconds above 0"),
        ("60", TypeError, "'stale_after': expected seconds or None, got str"),
        (True, TypeError, "'stale_after': expected seconds or None, got bool"),
    ],
)
def test_stale_after_that_cannot_be(given: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        StatsigOptions(stale_after=given)  # type: ignore[arg-type]


# The log


def test_each_cause_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    other = AdapterError("wrong token", status=401)
    parts = parts_of(ScriptedAdapter(payload(), DOWN, DOWN, other, other, DOWN, None, None, DOWN))
    for _ in range(9):
        parts.looker.look()
    assert [text.removeprefix("Statsig could not be synced: ") for _, text in troubles(caplog)] == [
        "the store is on fire",
        "wrong token",
        "the store is on fire",
        "Statsig can be synced again",
        "the store is on fire",
    ]


def test_an_older_copy_is_said_once_until_something_newer_comes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    old, older = payload(TIME - 1), payload(TIME - 2)
    parts = parts_of(ScriptedAdapter(payload(), old, None, older, None, old, payload(TIME + 1), old))
    for _ in range(8):
        parts.looker.look()
    said = "Statsig is not synced with Scripted: it has an older payload than the one in use, which stays"
    assert troubles(caplog) == [(logging.INFO, said)] * 2


def test_a_start_says_everything_that_was_tried(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = StatsigOptions(
        data_adapter=ScriptedAdapter(DOWN),
        bootstrap=b"{",
        last_known_good_dir=tmp_path,
        sync_policy=SyncPolicy.manual(),
    )
    with Statsig("secret-key", options):
        pass
    ((level, text),) = troubles(caplog)
    assert level == logging.WARNING
    assert text.startswith("Statsig started with nothing loaded: the store is on fire; no last known good ")
    assert "; bootstrap: the payload is not valid JSON" in text


def test_a_late_answer_is_reported_and_a_late_payload_is_used(caplog: pytest.LogCaptureFixture) -> None:
    held_back = HeldBack(payload())
    updated = threading.Event()
    options = StatsigOptions(
        data_adapter=ScriptedAdapter(held_back),
        init_timeout_ms=1,
        sync_policy=SyncPolicy.manual(),
        on_update=lambda _: updated.set(),
    )
    with Statsig("secret-key", options) as statsig:
        assert statsig.get_initialize_details().source == "NoValues"
        held_back.let_go.set()
        assert updated.wait(PATIENCE)
        assert statsig.stats().sync.source == "Adapter(Scripted)"
    assert len(troubles(caplog)) == 1
