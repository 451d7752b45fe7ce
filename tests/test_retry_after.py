"""How long a server wants to be left alone, as it says in headers."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statsig_fastly.retry_after import LONGEST_WAIT_S, rate_limit_wait, retry_after

NOW = 1_795_400_000.0
OTHER_CLOCK = {"date": formatdate(NOW + 60, usegmt=True)}


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("120", None, 120),
        ("0", None, 0),
        ("86400", None, 900),
        ("9" * 5000, None, 900),
        (formatdate(NOW + 100, usegmt=True), None, 100),
        (formatdate(NOW + 100, usegmt=True), formatdate(NOW + 60, usegmt=True), 40),
        (formatdate(NOW - 100, usegmt=True), None, 0),
        (formatdate(NOW + 10**6, usegmt=True), None, 900),
        ("-5", None, None),
        ("1.5", None, None),
        ("\N{SUPERSCRIPT TWO}", None, None),
        ("Wed, 99 Foo 2026", None, None),
        ("", None, None),
    ],
)
def test_what_retry_after_means(header: str, date: str | None, seconds: float | None) -> None:
    headers = {"retry-after": header, **({} if date is None else {"date": date})}
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "headers", "seconds"),
    [
        (str(int(NOW) + 30), {}, 30),
        (str(int(NOW) + 100), OTHER_CLOCK, 40),
        (str(int(NOW) - 30), {}, 0),
        (str(int(NOW) + 3600), {}, 900),
        ("99999999999", {}, 900),
        ("1" * 12, {}, None),
        ("", {}, None),
        ("-1", {}, None),
        ("soon", {}, None),
        ("\N{SUPERSCRIPT TWO}", {}, None),
    ],
)
def test_what_the_reset_of_a_rate_limit_means(
    header: str, headers: dict[str, str], seconds: float | None
) -> None:
    assert rate_limit_wait({"fastly-ratelimit-reset": header, **headers}, NOW) == seconds


def test_headers_that_say_nothing() -> None:
    assert retry_after({}, NOW) is None
    assert rate_limit_wait({}, NOW) is None


@given(st.text(), st.text())
def test_any_header_is_a_bounded_wait_or_none(header: str, date: str) -> None:
    headers = {"retry-after": header, "fastly-ratelimit-reset": header, "date": date}
    for wait in (retry_after(headers, NOW), rate_limit_wait(headers, NOW)):
        assert wait is None or 0 <= wait <= LONGEST_WAIT_S
