"""Many users at once, in an engine that spreads them over machines: Spark or Ray Data.

Each worker process has a client of its own, which is started by the first batch it gets.

    frame.mapInArrow(in_batches, "user_id string, new boolean")        # Spark
    dataset.map_batches(in_table, batch_format="pyarrow")              # Ray Data
"""

import pyarrow as pa
from flags import statsig


def in_table(users: pa.Table) -> pa.Table:
    """The users, and whether they pass the gate."""
    statsig.initialize().wait()
    answers = pa.table(statsig.evaluate_batch(users, gates=["test_fastly"], threads=1))
    passes = answers["test_fastly"].combine_chunks().field("value")
    return pa.table({"user_id": users["user_id"], "new": passes})


def in_batches(batches):
    for batch in batches:
        yield from in_table(pa.table(batch)).to_batches()
