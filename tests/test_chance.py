"""Chance: what forked children do not have in common."""

from __future__ import annotations

import os

import pytest

from statsig_fastly.backoff import Chance


def test_numbers() -> None:
    chance = Chance()
    numbers = [chance() for _ in range(100)]
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_children_draw_their_own() -> None:
    chance = Chance()
    chance()
    drawn = set()
    for _ in range(3):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, repr(chance()).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            drawn.add(pipe.read())
    assert len(drawn) == 3
