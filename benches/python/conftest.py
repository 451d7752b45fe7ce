"""A client on the project of all cases, with nothing recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cases import payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions, SyncPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def statsig() -> Iterator[Statsig]:
    options = StatsigOptions(
        data_adapter=MemoryAdapter(payload()), sync_policy=SyncPolicy.manual(), disable_all_logging=True
    )
    with Statsig("secret-bench", options) as statsig:
        yield statsig
