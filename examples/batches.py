"""Many users at once, on one machine: a data frame of polars or a query of duckdb in, columns out.

Nothing of it is logged: it is for reports, for audiences, and for what-if questions.
"""

import duckdb
import polars as pl
from flags import statsig


def with_flags(users: pl.DataFrame) -> pl.DataFrame:
    """The users with what they get. Columns are called as the arguments of StatsigUser."""
    batch = statsig.evaluate_batch(users, gates=["test_fastly"], experiments=["button_color"])
    answers = pl.DataFrame(batch)
    return users.with_columns(
        new=answers["test_fastly"].struct.field("value"),
        group=answers["button_color"].struct.field("group").cast(pl.String),
    )


def shares(connection: duckdb.DuckDBPyConnection, query: str) -> dict[bool, int]:
    """How many users of a query pass. duckdb reads the answers where they are."""
    answers = statsig.evaluate_batch(connection.sql(query).arrow(), gates=["test_fastly"])
    counted = connection.from_arrow(answers).aggregate("test_fastly.value as passes, count(*)")
    return dict(counted.fetchall())


if __name__ == "__main__":
    with statsig:
        users = pl.DataFrame({"user_id": [f"user-{number}" for number in range(10, 22)]})
        for row in with_flags(users).iter_rows(named=True):
            print(row["user_id"], row["new"], row["group"])
        print(shares(duckdb.connect(), "select 'user-' || i as user_id from range(1000) t(i)"))
