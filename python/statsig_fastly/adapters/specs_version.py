"""Which version of a project's config specs a payload is, as Statsig's protocol tells it.

In: a payload. Out: its `time` and `checksum`, as a text that can be kept in `Payload.version`, and as the
query that asks Statsig for anything newer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["SpecsHead", "SpecsVersion", "head_of"]

_TEXT = re.compile(r"time=(0|[1-9][0-9]{0,18}) (checksum|sha256)=(.+)", re.DOTALL)
_TIME_LIMIT = 2**63
_LONGEST_CHECKSUM = 256
_PLAIN = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class SpecsHead(NamedTuple):
    """What a payload says of itself.

    Attributes:
        time: When the project was last changed, in ms since the epoch; 0 if it does not say.
        checksum: What Statsig says of the content; empty if it does not say.
        no_updates: True if it says that there is nothing newer.
    """

    time: int = 0
    checksum: str = ""
    no_updates: bool = False


def head_of(body: bytes) -> SpecsHead:
    """What a payload says of itself; nothing if it is not whole or not a JSON object."""
    # Read in full, though three fields are wanted: rules may use the same names.
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return SpecsHead()
    if not isinstance(fields, dict):
        return SpecsHead()
    time, checksum = fields.get("time"), fields.get("checksum")
    return SpecsHead(
        time if isinstance(time, int) and not isinstance(time, bool) and 0 < time < _TIME_LIMIT else 0,
        checksum if isinstance(checksum, str) and _fits_into_a_query(checksum) else "",
        fields.get("has_updates") is False,
    )


@dataclass(frozen=True, slots=True)
class SpecsVersion:
    """One version.

    Attributes:
        time: As in `SpecsHead`.
        checksum: As in `SpecsHead`.
        sha256: Hex digest of the payload; only where there is no checksum, because two versions may have
            the same time.
    """

    time: int = 0
    checksum: str = ""
    sha256: str = ""

    @classmethod
    def of_payload(cls, body: bytes, head: SpecsHead) -> SpecsVersion:
        """The version of a payload, of which `head_of` said `head`."""
        if head.checksum:
            return cls(head.time, head.checksum)
        from hashlib import sha256

        return cls(head.time, sha256=sha256(body).hexdigest())

    @classmethod
    def of_text(cls, text: str | None) -> SpecsVersion | None:
        """The version that `text` stands for; None if it stands for none."""
        found = None if text is None else _TEXT.fullmatch(text)
        if found is None:
            return None
        time, kind, value = found.groups()
        return cls(int(time), value) if kind == "checksum" else cls(int(time), sha256=value)

    @property
    def text(self) -> str:
        """The same for the same version, and another for any other."""
        of_content = f"checksum={self.checksum}" if self.checksum else f"sha256={self.sha256}"
        return f"time={self.time} {of_content}"

    def query(self, *, with_checksum: bool) -> str:
        """What asks for anything newer, as the official core writes it: `sinceTime=1&checksum=c%252B1`.

        Args:
            with_checksum: False to name the time only, as Statsig's SDKs for the v1 format do.
        """
        said = [f"sinceTime={self.time}"] if self.time else []
        if self.checksum and with_checksum:
            said.append(f"checksum={_quoted_twice(self.checksum)}")
        return "&".join(said)


def _quoted_twice(text: str) -> str:
    """Percent-encoded, all but ASCII letters and digits; then the percent signs once more."""
    each = (chr(byte) if byte in _PLAIN else f"%25{byte:02X}" for byte in text.encode())
    return "".join(each)


def _fits_into_a_query(checksum: str) -> bool:
    try:
        return 0 < len(checksum.encode()) <= _LONGEST_CHECKSUM
    except UnicodeEncodeError:  # half a surrogate pair
        return False
