"""Random payloads, with all the oddities the format allows: what looks at them copes with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.generator import random_case
from statsig_fastly import PayloadError
from statsig_fastly._native import Evaluator
from statsig_fastly.publish.flips import count_flips
from statsig_fastly.publish.inspection import inspect_payload
from statsig_fastly.publish.metadata import METADATA_BYTES, ValueMetadata
from statsig_fastly.publish.spec_changes import changes
from statsig_fastly.publish.specs import Specs, encoded
from statsig_fastly.publish.users import made_up_users, user_of
from statsig_fastly.publish.validation import validate, validated

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS: Final = range(60)


def bodies() -> Iterator[tuple[bytes, list[dict[str, Any]]]]:
    for seed in SEEDS:
        case = random_case(seed, users=3)
        for text in {case.text, case.our_text}:
            yield text.encode("utf-8", "surrogatepass"), list(case.users)


def is_taken(body: bytes) -> bool:
    """Whether the engine makes a ruleset of it."""
    try:
        return Evaluator()._load(body, "Test") == "applied"
    except PayloadError:
        return False


def test_whatever_the_engine_takes_can_be_looked_at_and_does_not_differ_from_itself() -> None:
    taken = 0
    for body, given_users in bodies():
        if not is_taken(body):
            continue
        taken += 1
        users = [user_of(user) for user in given_users]
        _, specs = validated(body)
        assert not changes(specs, Specs.parse(body))
        found = count_flips(body, body, users)
        assert (found.asked, found.specs) == (0, ())
        if taken % 10 == 0:  # it compresses, which takes time
            assert inspect_payload(body).size == len(body)
        assert len(made_up_users(5, [specs])) == 5
        # Written again, it is the same to the engine.
        assert count_flips(body, encoded(specs.data), users).specs == ()
    assert taken > 45


def test_whatever_the_engine_refuses_is_refused() -> None:
    refused = [body for body, _ in bodies() if not is_taken(body)]
    for body in refused:
        with pytest.raises(PayloadError):
            validate(body)
    assert refused


numbers = st.integers(0, 2**63)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(
    st.builds(
        ValueMetadata,
        time=numbers,
        sha256=digests,
        specs=st.integers(0, 10**6),
        payload=digests,
        size=st.integers(0, 10**9),
        encoding=st.sampled_from(["plain", "gzip+chunks"]),
        published_at=numbers,
        app=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        hold=st.none() | numbers,
        before=st.none() | st.text("0123456789abcdef", min_size=16, max_size=16),
    )
)
def test_metadata_are_read_as_they_were_written(metadata: ValueMetadata) -> None:
    assert ValueMetadata.parse(metadata.text) == metadata
    assert len(metadata.text) <= METADATA_BYTES
    assert metadata.text.isascii()
    assert metadata.text.isprintable()


@given(st.text() | st.builds(";".join, st.lists(st.from_regex(r"[a-z]+=[^;]*", fullmatch=True))))
def test_any_other_metadata_are_none_or_well_formed(text: str) -> None:
    found = ValueMetadata.parse(text)
    assert found is None or ValueMetadata.parse(found.text) == found


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_json_that_is_no_payload_is_an_error(data: object) -> None:
    for body in (json.dumps(data).encode(), json.dumps({"feature_gates": data}).encode()):
        with pytest.raises(PayloadError):
            validate(body)
