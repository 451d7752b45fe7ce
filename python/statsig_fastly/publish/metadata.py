"""What is kept beside a published value: `time=…;sha256=…;n=…`. One small request tells what is there.

In: what is known of a value. Out: one line of ASCII for the `Metadata` header of a KV Store, at most 1,000
bytes (what every SDK of Fastly reads), and back. Unknown fields are kept out of the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["METADATA_BYTES", "ValueMetadata"]

METADATA_BYTES: Final = 1_000
"""Longest line, in bytes."""

_FIELD: Final = re.compile(r"\s*([a-z0-9_]+)=([^;]*)")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_VERSION: Final = re.compile(r"[0-9a-f]{16}")
_APP_BYTES: Final = 300


@dataclass(frozen=True, slots=True)
class ValueMetadata:
    """What is said of a value.

    Attributes:
        time: When the project was changed, in ms since the epoch.
        sha256: Hex digest of the value as it is stored. Adapters check it.
        specs: How many specs there are: gates, configs, layers, parameter stores, bandits.
        payload: Hex digest of the JSON text that the value comes to.
        size: Bytes of the JSON text.
        encoding: `plain`, `gzip`, `zstd` or `brotli`, with `+chunks` where the value is a manifest.
        published_at: When it was written, in ms since the epoch.
        app: The target app it was filtered for.
        hold: Payloads with this time and older ones are not to be published over it: they were rolled back.
        before: Id of the version that was in use before it, to be gone back to; None if that is not known.
    """

    time: int
    sha256: str
    specs: int
    payload: str
    size: int
    encoding: str
    published_at: int
    app: str | None = None
    hold: int | None = None
    before: str | None = None

    @property
    def text(self) -> str:
        """The line."""
        fields = {
            "time": self.time,
            "sha256": self.sha256,
            "n": self.specs,
            "payload": self.payload,
            "size": self.size,
            "enc": self.encoding,
            "at": self.published_at,
            "hold": self.hold,
            "before": self.before,
            # Last, and left out where it is too long for a line: it is for people.
            "app": None if self.app is None else quote(self.app, safe="")[:_APP_BYTES],
        }
        return ";".join(f"{name}={value}" for name, value in fields.items() if value is not None)

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Reads a line; None if it was not written here."""
        fields = dict(_FIELD.findall(text or ""))
        digest, payload = fields.get("sha256", ""), fields.get("payload", "")
        time, specs, size, at = (_number(fields.get(name)) for name in ("time", "n", "size", "at"))
        if not (_DIGEST.fullmatch(digest) and _DIGEST.fullmatch(payload)):
            return None
        if time is None or specs is None or size is None or at is None:
            return None
        app, before = fields.get("app"), fields.get("before", "")
        return cls(
            time=time,
            sha256=digest,
            specs=specs,
            payload=payload,
            size=size,
            encoding=fields.get("enc", "plain"),
            published_at=at,
            app=None if app is None else unquote(app),
            hold=_number(fields.get("hold")),
            before=before if _VERSION.fullmatch(before) else None,
        )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 20 else None  # noqa: PLR2004
