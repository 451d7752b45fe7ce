"""Payloads and recorded results that are kept beside the project, not in it: where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

__all__ = ["shared_file", "shared_path"]

_VARIABLE: Final = "STATSIG_FASTLY_SHARED"
_BESIDE: Final = Path(__file__).resolve().parents[2] / "shared"


def shared_path(*parts: str) -> Path:
    """Path of a file or directory of the shared data, which may not be there."""
    return Path(os.environ.get(_VARIABLE) or _BESIDE).joinpath(*parts)


def shared_file(*parts: str) -> Path:
    """As `shared_path`; skips the test if it is not there."""
    path = shared_path(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there; set {_VARIABLE} to the directory that has {'/'.join(parts)}")
    return path
