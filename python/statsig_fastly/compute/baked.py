"""A ruleset that is compiled when a component is built, and lies ready in the memory of every sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statsig_fastly.client import Statsig

__all__ = ["bake"]


def bake(statsig: Statsig) -> None:
    """Starts a client with `StatsigOptions.bootstrap` alone, while the entry module is imported.

    Requests are answered from it at once. The adapter is looked at when `sync_policy` says so, or by `sync`,
    and what is newer than the bootstrap payload takes its place. Call `initialize` in a request as well to
    have the adapter looked at before the first answer.

    Args:
        statsig: A client that was not started.

    Raises:
        PayloadError: The bootstrap payload cannot be used.
        ValueError: There is none.
    """
    statsig._start_baked()  # noqa: SLF001 - the package's own
