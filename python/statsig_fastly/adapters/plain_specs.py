"""What lies in a store, made into config specs that can be parsed.

In: the bytes of a value. Out: JSON text, decompressed if it was compressed; or an `AdapterError`. It is
looked at as far as can be seen at a glance: JSON that breaks off later is the ruleset's to find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly.adapters.checks import value_problem
from statsig_fastly.adapters.compression import decompressed
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_PAYLOAD_BYTES", "plain_specs", "too_large"]

MAX_PAYLOAD_BYTES = 100_000_000
"""Most that adapters take config specs to have unless told otherwise, in bytes of JSON."""


def too_large(said: str, size: int, limit: int) -> str:
    """Says that config specs exceed `max_payload_bytes`, as in `the value has 5 bytes, …`."""
    remedy = "make the payload smaller, or raise max_payload_bytes"
    return f"{said} {size:,} bytes, which is more than the limit of {limit:,}; {remedy}"


def plain_specs(
    value: bytes,
    limit: int,
    place: str,
    *,
    status: int | None = None,
    scrub: Callable[[str], str] = str,
) -> bytes:
    """Decompresses a value, and has a first look at it.

    Args:
        value: What lies in the store, plain or compressed.
        limit: Most that the JSON text may have, in bytes.
        place: What was asked, for messages, as in `reading key 'k' of KV store 's'`.
        status: HTTP status that the value came with, for errors.
        scrub: Takes secrets out of what messages quote.

    Raises:
        AdapterError: It cannot be decompressed, is too large, or does not start like a JSON object.
    """
    specs = decompressed(value, limit, place, status=status)
    if len(specs) > limit:
        raise AdapterError(f"{place}: {too_large('the value has', len(specs), limit)}", status=status)
    if problem := value_problem(specs, scrub):
        text, may_pass = problem
        # Another answer may be a better one; a file stays as it is.
        raise AdapterError(f"{place}: {text}", status=status, retryable=may_pass and status is not None)
    return specs
