"""The `statsig-fastly` command.

In: the command line. Out: an exit status; 2 where the command line or the installation is at fault.
Nothing of the `cli` extra is imported before `main` runs.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

# What the `cli` extra installs; anything else that cannot be imported is a defect and shown as one.
_EXTRA = frozenset({"aiohttp", "rich", "typer"})


def main() -> None:
    """Runs the command line in `sys.argv` and exits."""
    try:
        from statsig_fastly.cli.app import build_app, run

        raise SystemExit(run(build_app(), sys.argv[1:]))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"statsig-fastly: {error.name} is missing: pip install 'statsig-fastly[cli]'\n")
        raise SystemExit(2) from None
