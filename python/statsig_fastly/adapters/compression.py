"""Values that were compressed before they were put into a store: gzip, zstd and brotli.

In: a value. Out: the same value decompressed, within a bound; or as it came, if it is not compressed.

gzip and zstd are known by their first bytes. Brotli has none, so it is tried where a value starts like
nothing else that could be there. gzip comes with Python, and zstd with Python 3.14; otherwise it takes the
extra `compression`, as brotli does.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["decompressed"]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
# JSON and white space before it, an HTML page, text in other encodings. A brotli stream may start with any
# other byte, '[' among them.
_PLAIN = (b"{", b" ", b"\t", b"\r", b"\n", b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00{")
_JSON_SPACE = b" \t\r\n"

# What one step takes in: gzip makes at most 1,032 times as much of it, zstd at most 32,768 times.
_GZIP_STEP = 4096
_ZSTD_STEP = 256
_MOST_PARTS = 10_000
_START_BYTES = 64

_INSTALL = "install statsig-fastly[compression] to read it"
_AGAIN = "publish it again"


class _Decoder(Protocol):
    """What the decoders of zlib and of both packages for zstd have in common. Each is for one stream."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Codec(NamedTuple):
    """How one format is decompressed.

    Attributes:
        name: What messages call it.
        magic: What every stream starts with.
        step: How many bytes to decompress at once.
        new_decoder: Makes what decompresses one stream.
        error: What that raises.
    """

    name: str
    magic: bytes
    step: int
    new_decoder: Callable[[], _Decoder]
    error: type[Exception]


class _Unreadable(Exception):  # noqa: N818 - becomes an AdapterError as soon as the place is known
    """Says what is wrong with a value."""


def decompressed(value: bytes, limit: int, place: str, *, status: int | None = None) -> bytes:
    """The value without its compression.

    No more than `limit` and 8 MB are decompressed, whatever the value would come to.

    Args:
        value: What lies in the store.
        limit: Most it may have once it is decompressed, in bytes.
        place: Where it was read, for messages.
        status: HTTP status it came with, for errors.

    Returns:
        The decompressed value; or `value` itself, if it is not compressed.

    Raises:
        AdapterError: It is compressed, and breaks off, is damaged, is followed by something else or is too
            large; or a package is missing that it takes.
    """
    try:
        if value.startswith(_GZIP):
            return _joined(value, limit, _gzip())
        if value.startswith(_ZSTD):
            return _joined(value, limit, _zstd())
        if not value or value.startswith(_PLAIN):
            return value
        return _unbrotli_perhaps(value, limit)
    except _Unreadable as unreadable:
        problem = str(unreadable)
    raise AdapterError(f"{place}: {problem}", status=status)


def _gzip() -> _Codec:
    import zlib

    return _Codec("gzip", _GZIP, _GZIP_STEP, lambda: zlib.decompressobj(wbits=31), zlib.error)


def _zstd() -> _Codec:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd

            return _Codec("zstd", _ZSTD, _ZSTD_STEP, zstd.ZstdDecompressor, zstd.ZstdError)
        import zstandard
    except ImportError:
        raise _Unreadable(f"the value is compressed with zstd; {_INSTALL}") from None
    return _Codec(
        "zstd",
        _ZSTD,
        _ZSTD_STEP,
        lambda: zstandard.ZstdDecompressor().decompressobj(),
        zstandard.ZstdError,
    )


def _joined(value: bytes, limit: int, codec: _Codec) -> bytes:
    """Decompresses streams that follow each other, as `cat a.gz b.gz` makes them."""
    name = codec.name
    pieces: list[bytes] = []
    at = size = 0
    for _ in range(_MOST_PARTS):
        decoder = codec.new_decoder()
        while not decoder.eof:
            taken = value[at : at + codec.step]
            if not taken:
                raise _Unreadable(f"the {name} value is not whole: it breaks off after {at} bytes; {_AGAIN}")
            try:
                pieces.append(decoder.decompress(taken))
            except codec.error as damage:
                reason = " ".join(str(damage).split())
                problem = f"the {name} value is damaged near byte {at} ({reason}); {_AGAIN}"
                raise _Unreadable(problem) from None
            at += len(taken)
            size += len(pieces[-1])
            _check_size(size, limit, name)
        at -= len(decoder.unused_data)
        if at == len(value):
            return b"".join(pieces)
        if not value.startswith(codec.magic, at):
            more = len(value) - at
            raise _Unreadable(f"the {name} value ends after {at} bytes, and {more} others follow; {_AGAIN}")
    raise _Unreadable(f"the {name} value has more than {_MOST_PARTS:,} parts; {_AGAIN} as one")


def _unbrotli_perhaps(value: bytes, limit: int) -> bytes:
    """Decompresses a value that is brotli, and leaves text that is not as it is."""
    try:
        plain = _unbrotli(value, limit)
        said = f"the value is neither JSON nor a whole one in gzip, zstd or brotli; {_AGAIN}"
    except (ImportError, TypeError):  # TypeError: older than 1.2, which cannot stop at a limit
        plain, said = None, f"the value is neither JSON nor gzip nor zstd; if it is brotli, {_INSTALL}"
    if plain is not None and plain.lstrip(_JSON_SPACE).startswith(b"{"):
        return plain
    if _is_text(value[:_START_BYTES]):
        return value
    raise _Unreadable(said)


def _unbrotli(value: bytes, limit: int) -> bytes | None:
    """Decompresses brotli; None if that is not what it is, or not all of it."""
    import brotli

    decoder = brotli.Decompressor()
    pieces: list[bytes] = []
    size = 0
    while not decoder.is_finished():
        try:
            pieces.append(decoder.process(value, output_buffer_limit=limit + 1 - size))
        except brotli.error:
            return None
        value = b""  # the decoder has it
        size += len(pieces[-1])
        _check_size(size, limit, "brotli")
        if decoder.can_accept_more_data() and not decoder.is_finished():
            return None
    return b"".join(pieces)


def _check_size(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise _Unreadable(
            f"the {name} value has more than {limit:,} bytes when it is decompressed; make the payload "
            "smaller, or raise max_payload_bytes"
        )


def _is_text(start: bytes) -> bool:
    text = start.decode("utf-8", "replace")[:-1]  # the last character may be cut in two
    return all(letter != "\ufffd" and (letter.isprintable() or letter.isspace()) for letter in text)
