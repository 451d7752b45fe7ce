"""Payloads made smaller before they are stored: gzip, zstd and brotli.

In: JSON text. Out: the bytes to store; the same bytes for the same text, so that it can be told when nothing
has changed. Adapters of this package read all of them; Statsig's own SDKs read plain JSON only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Compression", "compressed"]

Compression: TypeAlias = Literal["plain", "gzip", "zstd", "brotli"]


def compressed(body: bytes, how: Compression) -> bytes:
    """Compresses a payload.

    Args:
        body: The payload.
        how: `plain` leaves it as it is.

    Raises:
        ValueError: There is no such compression, or what it takes is not installed.
    """
    if how not in get_args(Compression):
        raise ValueError(f"compression: expected {', '.join(get_args(Compression))}, got {how!r}")
    ways: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "zstd": _zstd, "brotli": _brotli}
    try:
        return body if how == "plain" else ways[how](body)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"compression: {how} needs {error.name}, which is not installed: "
            "pip install 'statsig-fastly[compression]'"
        ) from None


def _gzip(body: bytes) -> bytes:
    import gzip

    return gzip.compress(body, 9, mtime=0)


def _zstd(body: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(body, level=12)
    import zstandard

    return zstandard.ZstdCompressor(level=12).compress(body)


def _brotli(body: bytes) -> bytes:
    import brotli

    # 9 and not 11, which takes a minute for 20 MB and saves another tenth.
    found: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=9)
    return found
