"""Payloads and recorded results that are kept beside the project, not in it: where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

__all__ = ["shared_file"]

_VARIABLE: Final = "STATSIG_FASTLY_SHARED"
_BESIDE: Final = Path(__file__).resolve().parents[2] / "shared"


def shared_file(*parts: str) -> Path:
    """Path of a file or directory of the shared data; skips the test if it is not there."""
    directory = Path(os.environ.get(_VARIABLE) or _BESIDE)
    path = directory.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there; set {_VARIABLE} to the directory that has {'/'.join(parts)}")
    return path
