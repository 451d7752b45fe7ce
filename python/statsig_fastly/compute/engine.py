"""Puts the engine for WebAssembly in the place of the one for this machine.

In: the package `statsig-fastly-compute`, which has nothing else in it. Out: `statsig_fastly._native`.
"""

from __future__ import annotations

import sys
from importlib import import_module

__all__: list[str] = []

_PLACE = "statsig_fastly._native"
_VERSION = "0.1.0"


def _use() -> None:
    try:
        engine = import_module("statsig_fastly_compute._native")
    except ImportError as error:
        raise ImportError(
            "the engine for WebAssembly is missing: add statsig-fastly-compute to the dependencies of the "
            f"Compute service, in the version of statsig-fastly ({error})"
        ) from None
    if engine.__version__ != _VERSION:
        raise ImportError(
            f"statsig-fastly-compute has version {engine.__version__}, and statsig-fastly {_VERSION}: "
            "they have to be of one version"
        )
    sys.modules[_PLACE] = engine
    # What the import system does for a module that it finds itself.
    vars(sys.modules["statsig_fastly"])["_native"] = engine


_use()
