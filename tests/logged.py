"""What the package has logged, but for its good news."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["troubles"]


def troubles(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Level and text of each line since the last call, without those that tell of updates."""
    found = [(record.levelno, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return [line for line in found if not line[1].startswith("Statsig has an update: ")]
