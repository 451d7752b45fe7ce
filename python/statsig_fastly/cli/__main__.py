"""`python -m statsig_fastly.cli` is the command `statsig-fastly`."""

from __future__ import annotations

from statsig_fastly.cli import main

if __name__ == "__main__":
    main()
