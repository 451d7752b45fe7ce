"""A client that fetches ID lists: at the start, with its looks, from wherever they are."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from api_client import StandingClock
from logged import troubles
from reference_id_lists import id_list_file
from scripted_adapter import PATIENCE, ScriptedAdapter
from small_project import payload, project
from statsig_fastly import AdapterError, Statsig, StatsigOptions, SyncPolicy
from statsig_fastly._native import Evaluator
from statsig_fastly.adapters import IdListFile
from statsig_fastly.id_list_sync import IdListSync
from statsig_fastly.sync.id_lists import IdLists, IdListStats

if TYPE_CHECKING:
    from collections.abc import Sequence

USERS = ["ann", "ben", "cid"]


def listed_project() -> bytes:
    """The project with a gate for those on the list `beta`."""
    specs = project()
    gate = json.loads(json.dumps(specs["feature_gates"][0]))
    gate["name"] = "beta"
    gate["rules"][0]["conditions"] = [
        {
            "type": "unit_id",
            "operator": "in_segment_list",
            "targetValue": "beta",
            "field": None,
            "idType": "userID",
        }
    ]
    specs["feature_gates"].append(gate)
    return json.dumps(specs).encode()


class Lists:
    """An adapter for ID lists whose file the test sets.

    Attributes:
        file: What is in the file of the list `beta`; None if it cannot be had.
        rounds: How often it was looked which lists there are.
        closed: How often it was closed.
    """

    def __init__(self, *users: str) -> None:
        self.file: bytes | None = id_list_file(users)
        self.rounds = 0
        self.closed = 0

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        self.rounds += 1
        if self.file is None:
            raise AdapterError("no lists today")
        return [IdListFile("beta", f"file {hash(self.file)}", 1, len(self.file), "here")]

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        assert self.file is not None
        assert file.location == "here"
        return self.file[start:]

    def close(self) -> None:
        self.closed += 1


class SpecsAndLists(Lists):
    """One adapter for both."""

    name = "Both"

    def fetch(self, held_version: str | None = None) -> Any:  # noqa: ANN401 - a Payload
        return ScriptedAdapter(listed_project()).fetch(held_version)


def client(**options: Any) -> Statsig:  # noqa: ANN401 - as StatsigOptions takes them
    options = {
        "data_adapter": ScriptedAdapter(listed_project(), None),
        "disable_all_logging": True,
        **options,
    }
    return Statsig("secret-key", StatsigOptions(sync_policy=SyncPolicy.manual(), **options))


def passing(statsig: Statsig) -> list[str]:
    return [user for user in USERS if statsig.check_gate(user, "beta")]


def test_they_are_there_when_the_start_is_over() -> None:
    lists = Lists("ann", "cid")
    with client(id_list_adapter=lists) as statsig:
        details = statsig.get_initialize_details()
        assert (details.is_config_spec_ready, details.is_id_list_ready) == (True, True)
        assert passing(statsig) == ["ann", "cid"]
        lists.file = id_list_file(USERS)
        assert statsig.sync().result(PATIENCE).outcome == "unchanged"
        assert passing(statsig) == USERS
        stats = statsig.stats().id_lists
        assert stats is not None
        assert (stats.lists, stats.rounds, stats.failed_rounds, stats.last_error) == (1, 2, 0, None)
    assert lists.closed == 1


def test_none_are_fetched_without_being_asked_for() -> None:
    both = SpecsAndLists("ann")
    with client(data_adapter=both) as statsig:
        assert statsig.get_initialize_details().is_id_list_ready is None
        assert statsig.stats().id_lists is None
        assert passing(statsig) == []
    assert (both.rounds, both.closed) == (0, 1)


def test_an_adapter_that_has_both() -> None:
    both = SpecsAndLists("ann")
    with client(data_adapter=both, enable_id_lists=True) as statsig:
        assert passing(statsig) == ["ann"]
    assert (both.rounds, both.closed) == (1, 1)


def test_lists_of_the_applications_own_go_before_those_that_are_fetched() -> None:
    with client(id_list_adapter=Lists("ann"), id_lists={"beta": ["cid"]}) as statsig:
        assert passing(statsig) == ["cid"]


def test_lists_that_cannot_be_had_are_said_once_and_stay_as_they_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="statsig_fastly")
    lists = Lists("ann")
    with client(id_list_adapter=lists) as statsig:
        lists.file = None
        for _ in range(3):
            statsig.sync().result(PATIENCE)
        assert passing(statsig) == ["ann"]
        stats = statsig.stats().id_lists
        assert stats is not None
        assert (stats.rounds, stats.failed_rounds, stats.last_error) == (4, 3, "no lists today")
        lists.file = id_list_file(["ben"])
        statsig.sync().result(PATIENCE)
        assert passing(statsig) == ["ben"]
    assert [text for _, text in troubles(caplog)] == [
        "ID lists could not be synced: no lists today",
        "ID lists can be synced again",
    ]


def test_a_start_does_not_wait_for_ever() -> None:
    asked, let_go = threading.Event(), threading.Event()

    class Slow(Lists):
        def fetch_id_lists(self) -> Sequence[IdListFile]:
            asked.set()
            assert let_go.wait(PATIENCE)
            return super().fetch_id_lists()

    with client(id_list_adapter=Slow("ann"), init_timeout_ms=50) as statsig:
        details = statsig.get_initialize_details()
        assert asked.wait(PATIENCE)
        assert (details.is_config_spec_ready, details.is_id_list_ready) == (True, False)
        assert passing(statsig) == []
        let_go.set()
        assert statsig.sync().wait(PATIENCE)
        assert passing(statsig) == ["ann"]


def test_rounds_come_with_looks_but_not_more_often_than_the_interval() -> None:
    clock, wall = StandingClock(), StandingClock()
    lists = Lists("ann")
    made = IdLists(IdListSync(lists, Evaluator()), 60.0, clock=clock, wall=wall)
    assert made.stats() == IdListStats()
    assert made.start(PATIENCE)
    for _ in range(60):
        clock.now += 10
        made.round_if_due()
    assert lists.rounds == 1 + 10
    lists.file = None
    for _ in range(60):
        clock.now += 10
        made.round_if_due()
    assert lists.rounds == 1 + 20


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"id_list_adapter": 5},
        TypeError,
        "'id_list_adapter': expected an adapter with ID lists or None, got int",
    ),
    ({"id_list_adapter": ScriptedAdapter(payload())}, TypeError, "'id_list_adapter'.*got ScriptedAdapter"),
    ({"enable_id_lists": "yes"}, TypeError, "'enable_id_lists': expected bool, got str"),
    ({"id_lists_sync_interval_ms": 0}, ValueError, "'id_lists_sync_interval_ms': expected at least 1 ms"),
    ({"id_lists_url": "ftp://here"}, ValueError, "argument 'id_lists_url': expected"),
    ({"download_id_list_file_api": 5}, TypeError, "argument 'download_id_list_file_api': expected"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[message for _, _, message in WRONG])
def test_what_cannot_work_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        StatsigOptions(**options)
