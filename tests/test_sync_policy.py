"""`SyncPolicy`: what it takes, and for how long it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statsig_fastly import SyncPolicy
from statsig_fastly.sync.schedule import pause_of

if TYPE_CHECKING:
    from collections.abc import Callable

SHARES = st.floats(0, 1)
SECONDS = st.floats(0.1, 10_000)


def test_defaults() -> None:
    assert SyncPolicy.manual() == SyncPolicy("manual")
    assert SyncPolicy.on_request() == SyncPolicy("on_request", 10.0)
    assert SyncPolicy.background() == SyncPolicy("background", 10.0, 0.1)
    assert repr(SyncPolicy.on_request(5)) == "SyncPolicy(kind='on_request', seconds=5, jitter=0.0)"


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: SyncPolicy.on_request(0), ValueError, "'max_age': expected seconds from 0.001 to .*, got 0"),
    (lambda: SyncPolicy.on_request(-1), ValueError, "'max_age': expected seconds from 0.001 to .*, got -1"),
    (lambda: SyncPolicy.on_request("10"), TypeError, "'max_age': expected seconds as int or float, got str"),  # type: ignore[arg-type]
    (
        lambda: SyncPolicy.background(True),
        TypeError,
        "'interval': expected seconds as int or float, got bool",
    ),
    (lambda: SyncPolicy.background(float("nan")), ValueError, "'interval': .*, got nan"),
    (lambda: SyncPolicy.background(float("inf")), ValueError, "'interval': .*, got inf"),
    (
        lambda: SyncPolicy.background(jitter=1.5),
        ValueError,
        "'jitter': expected a share from 0 to 1, got 1.5",
    ),
    (lambda: SyncPolicy.background(jitter=None), TypeError, "'jitter': .*, got NoneType"),  # type: ignore[arg-type]
    (lambda: SyncPolicy.background(1e-9), ValueError, "'interval': .*, got 1e-09"),
    (lambda: SyncPolicy.background(10**400), ValueError, "'interval': .*, got another number"),
    (lambda: SyncPolicy("manual", "x"), TypeError, "'seconds': .*, got str"),  # type: ignore[arg-type]
    (lambda: SyncPolicy([]), ValueError, "'kind': .*, got \\[\\]"),  # type: ignore[arg-type]
    (lambda: SyncPolicy("often"), ValueError, "'kind': expected 'manual', .*, got 'often'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "error", "message"), WRONG, ids=[message for _, _, message in WRONG])
def test_what_cannot_work_is_refused(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@given(SECONDS, SHARES, SHARES, st.integers(0, 10_000))
def test_a_pause_is_never_longer_than_the_interval(
    interval: float, jitter: float, chance: float, failures: int
) -> None:
    # So whatever came of a look, a store that is back is noticed within an interval.
    pause = pause_of(SyncPolicy.background(interval, jitter), lambda: chance)
    assert 0 <= pause(failures, None) <= interval
    if failures == 0:
        assert pause(0, None) >= interval * (1 - jitter) * (1 - 1e-9)


@given(SECONDS, SHARES, st.integers(1, 50))
def test_pauses_after_failures_double_and_are_spread_over_their_second_half(
    interval: float, chance: float, failures: int
) -> None:
    pause = pause_of(SyncPolicy.background(interval), lambda: chance)
    whole = min(interval, 2.0 ** (failures - 1))
    assert pause(failures, None) == pytest.approx(whole * (0.5 + chance / 2))


@given(st.integers(0, 20), st.floats(0, 900))
def test_a_store_that_asks_to_be_left_alone_is(failures: int, asked_for: float) -> None:
    pause = pause_of(SyncPolicy.background(), lambda: 0.3)
    assert pause(failures, asked_for) >= asked_for
    assert pause(failures, asked_for) == max(asked_for, pause(failures, None))
