"""What it costs to make a user, alone and for one check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cases import NAMES, user_fields
from statsig_fastly import StatsigUser

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly import Statsig

CUSTOM = {f"attribute_{number}": f"value {number}" for number in range(20)}

USERS: dict[str, Callable[[], object]] = {
    "id": lambda: StatsigUser("user-42"),
    "id by keyword": lambda: StatsigUser(user_id="user-42"),
    "two fields, two attributes": lambda: StatsigUser(
        "user-42", country="NZ", app_version="2.10.3", custom={"plan": "pro", "seats": 12}
    ),
    "20 attributes": lambda: StatsigUser("user-42", custom=CUSTOM),
}


@pytest.mark.parametrize("user", USERS)
def test_new_user(benchmark: Any, user: str) -> None:
    benchmark.group = "new user"
    benchmark(USERS[user])


@pytest.mark.parametrize("letter", "ABC")
def test_new_user_and_a_check(benchmark: Any, statsig: Statsig, letter: str) -> None:
    name, fields = NAMES[letter], user_fields(0)
    benchmark.group = "new user with attributes, and check_gate"
    benchmark(lambda: statsig.check_gate(StatsigUser(**fields), name))
