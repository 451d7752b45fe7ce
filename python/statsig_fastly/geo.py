"""Countries of IP addresses: the table that the package `ip3country` brings, read once per process."""

from __future__ import annotations

import functools
import logging
from importlib.util import find_spec
from pathlib import Path

from statsig_fastly._native import _load_countries

__all__ = ["load_country_table"]

_log = logging.getLogger("statsig_fastly")

_PACKAGE = "ip3country"
_FILE = ("data", "ip_supalite.table")


# Whatever comes of it is kept: a package that is not there will not be there at the next payload.
@functools.cache
def load_country_table() -> None:
    """Loads the table for all clients of this process.

    Without a table that can be read, one line is logged, and the country of an address is not known:
    see `EvaluationDetails.reason`.
    """
    try:
        path = _table_path()
        if path is None:
            _warn("the package ip3country is not installed (pip install 'statsig-fastly[geo]')")
        else:
            _load_countries(path.read_bytes())
    except (OSError, ValueError) as error:
        _warn(str(error))


def _table_path() -> Path | None:
    # The package itself is not imported: all that is wanted of it is a file.
    spec = find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0], *_FILE) if places else None


_warned: dict[str, object] = {}


def _warn(fault: str) -> None:
    me = object()
    # The cache lets two threads in at a time, and this only one of them.
    if _warned.setdefault("table", me) is me:
        _log.warning("IP addresses count as if no country had them, for want of a table: %s", fault)
