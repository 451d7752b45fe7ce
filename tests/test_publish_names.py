"""What `statsig_fastly.publish` gives is what it says, and nothing of it comes before it is used."""

from __future__ import annotations

import subprocess
import sys

import statsig_fastly.publish


def test_every_name_is_there_once_it_is_asked_for() -> None:
    for name in statsig_fastly.publish.__all__:
        found = getattr(statsig_fastly.publish, name)
        assert found.__module__.startswith("statsig_fastly.publish.")
        assert found.__doc__


def test_nothing_is_imported_before_it_is_used() -> None:
    later = "print(*[name for name in sys.modules if 'statsig_fastly.publish.' in name])"
    script = f"import sys, statsig_fastly.publish; {later}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "\n"
