"""Users out of files: every kind of file gives the same users; what cannot be read is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from statsig_fastly import StatsigUser
from statsig_fastly.publish.users import UserFileError, read_users

if TYPE_CHECKING:
    from pathlib import Path

ROWS: Final[list[dict[str, Any]]] = [
    {"userID": "u-1", "email": "a@example.com", "custom.seats": 5, "customIDs.companyID": "7", "beta": True},
    {"userID": "u-2", "appVersion": "1.10", "custom.seats": 25, "privateAttributes.score": 700},
]
USERS: Final = [
    StatsigUser(
        "u-1", email="a@example.com", custom={"seats": 5, "beta": True}, custom_ids={"companyID": "7"}
    ),
    StatsigUser("u-2", app_version="1.10", custom={"seats": 25}, private_attributes={"score": 700}),
]
CSV: Final = (
    "userID,email,custom.seats,customIDs.companyID,beta,appVersion,privateAttributes.score\r\n"
    "u-1,a@example.com,5,7,true,,\r\n"
    "u-2,,25,,,1.10,700\r\n"
)


def test_csv(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text(f"\ufeff{CSV}", "utf-8")
    assert read_users(file) == USERS
    assert read_users(file, most=1) == USERS[:1]


def test_json_as_a_list_and_as_lines(tmp_path: Path) -> None:
    users = [
        {
            "userID": "u-1",
            "email": "a@example.com",
            "custom": {"seats": 5, "beta": True},
            "customIDs": {"companyID": "7"},
        },
        {
            "user_id": "u-2",
            "app_version": "1.10",
            "custom": {"seats": 25},
            "privateAttributes": {"score": 700},
        },
    ]
    (tmp_path / "users.json").write_text(json.dumps(users, indent=1))
    (tmp_path / "users.jsonl").write_text("\n\n".join(map(json.dumps, users)))
    assert read_users(tmp_path / "users.json") == USERS
    assert read_users(tmp_path / "users.jsonl") == USERS


def test_parquet_and_arrow(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    names = list(dict.fromkeys(name for row in ROWS for name in row))
    columns = {name: [row.get(name) for row in ROWS] for name in names}
    table = pa.table(columns)
    parquet.write_table(table, tmp_path / "users.parquet")
    feather.write_feather(table, tmp_path / "users.feather")
    with (
        pa.OSFile(str(tmp_path / "users.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    for name in ("users.parquet", "users.feather", "users.arrow"):
        assert [user.user_id for user in read_users(tmp_path / name)] == ["u-1", "u-2"]
        assert read_users(tmp_path / name) == USERS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("users.csv", b"userID,userID\na,b\n", r"line 1: expected a name for each column, each of them once"),
        ("users.csv", b"userID\na,b\n", r"line 2: expected 1 cells, got 2"),
        ("users.csv", b"userID\n", r"expected users, found none"),
        ("users.csv", b"\xff\xfe", r"expected UTF-8, got other bytes at 0"),
        ("users.json", b'[{"userID": "a"}, 5]', r"user 2: expected an object, got int"),
        ("users.json", b"[", r"expected a JSON list of users"),
        ("users.jsonl", b'{"userID": "a"}\n{"plan": 1}', r"line 2: user: no such field 'plan'"),
        ("users.jsonl", b'{"userID": "a"}\n{', r"line 2: expected a user as JSON"),
        ("users.parquet", b"PAR1 not really", r"expected Parquet data|needs pyarrow"),
        (
            "users.csv",
            b"userID;email\na;b\n",
            r"with userID or customIDs, got 'userID;email' only",
        ),
        (
            "users.csv",
            b"name,plan\na,pro\n",
            r"with userID or customIDs, got 'name', 'plan' only",
        ),
        ("users.json", b'[{"email": "a@b"}]', r"with userID or customIDs, got 'email' only"),
        ("users.csv", b'userID\n"a\n', r"line 2: expected CSV \(unexpected end of data\)"),
        (
            "users.csv",
            b"userID,customIDs\na,x\n",
            r"line 2: column 'customIDs': expected an object, or",
        ),
        ("absent.csv", None, r"No such file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserFileError, match=said):
        read_users(tmp_path / name)
