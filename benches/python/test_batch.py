"""What many users cost at once, by table and by how much is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cases import NAMES, user_fields

if TYPE_CHECKING:
    from statsig_fastly import Statsig

ROWS = 100_000

COLUMNS: dict[str, tuple[str, ...]] = {
    "ids": ("user_id",),
    "ids and attributes": ("user_id", "country", "app_version", "custom"),
}
ASKED: dict[str, dict[str, list[str]]] = {
    "one gate": {"gates": [NAMES["B"]]},
    "three gates": {"gates": [NAMES[letter] for letter in "ABC"]},
    "three gates and an experiment": {
        "gates": [NAMES[letter] for letter in "ABC"],
        "experiments": [NAMES["D"]],
    },
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("columns", COLUMNS)
def test_batch(benchmark: Any, statsig: Statsig, columns: str, asked: str) -> None:
    pa = pytest.importorskip("pyarrow")
    users = [user_fields(number) for number in range(ROWS)]
    table = pa.table({name: [user[name] for user in users] for name in COLUMNS[columns]})
    benchmark.group = f"{ROWS:,} users, one thread"
    benchmark(statsig.evaluate_batch, table, **ASKED[asked], threads=1)
