"""Keeps the secret part of a URL out of what urllib3 logs about it.

urllib3 writes the path of every request to its log at the level DEBUG, and there may be an SDK key in it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hidden_in_logs"]

# Those that write of URLs. A filter of a logger sees only what is logged through that very logger.
_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")

# urllib3 logs in the thread that asks, so other threads' lines are left alone.
_secret_of_this_exchange: ContextVar[str] = ContextVar("statsig_fastly_secret", default="")


@contextmanager
def hidden_in_logs(secret: str) -> Iterator[None]:
    """Inside of it, log lines that urllib3 writes in this thread have `[…]` in place of `secret`."""
    for name in _LOGGERS:
        # One that is there already is not added again; an application that configures logging may have
        # removed it.
        logging.getLogger(name).addFilter(_hide)
    mark = _secret_of_this_exchange.set(secret)
    try:
        yield
    finally:
        _secret_of_this_exchange.reset(mark)


def _hide(record: logging.LogRecord) -> bool:
    secret = _secret_of_this_exchange.get()
    if secret:
        record.msg, record.args = record.getMessage().replace(secret, "[…]"), ()
    return True
