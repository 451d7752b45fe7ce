"""Published versions that are kept: each under its digest, so that any of them can be put back byte for byte.

In: values as they are stored. Out: the list of them, the newest first. A version whose value is in chunks is
kept as its manifest; the chunks are those of the key, and stay as long as a version needs them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.store import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statsig_fastly.publish.store import Item, Store
    from statsig_fastly.publish.stored import Stored

__all__ = ["Version", "Versions"]

_ID_DIGITS: Final = 16
_FEWEST_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Version:
    """A version that is kept.

    Attributes:
        id: The first 16 hex digits of the SHA-256 digest of the stored value.
        key: Where it is kept.
        metadata: What is said of it.
    """

    id: str
    key: str
    metadata: ValueMetadata

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


class Versions:
    """The versions of one key.

    Args:
        store: Where they are kept; the store the key is in, or another.
        key: The key.
        report: Told of what is no version, and is passed over.
    """

    def __init__(self, store: Store, key: str, report: Callable[[str], object] = str) -> None:
        self.store = store
        self._prefix = f"version.{key}."
        self._key = key
        self._report = report

    def keep(self, value: bytes, metadata: ValueMetadata) -> str:
        """Keeps a value, unless it is kept already, and returns the id of the version.

        Raises:
            AdapterError: It could not be written.
        """
        version_id = self.id_of(metadata)
        if not self.has(metadata):
            self.store.write(f"{self._prefix}{version_id}", value, metadata.text)
        return version_id

    @staticmethod
    def id_of(metadata: ValueMetadata) -> str:
        """The id of the version that is described."""
        return metadata.sha256[:_ID_DIGITS]

    def has(self, metadata: ValueMetadata) -> bool:
        """Whether the value that is described is kept.

        Raises:
            AdapterError: The store failed.
        """
        there = self.store.head(f"{self._prefix}{self.id_of(metadata)}")
        known = None if there is None else ValueMetadata.parse(there.metadata)
        return known is not None and known.sha256 == metadata.sha256

    def all(self) -> list[Version]:
        """All of them, the one that was published last first.

        Raises:
            AdapterError: They could not be listed.
        """
        found = []
        for entry in self.store.entries(self._prefix):
            if "." in entry.key.removeprefix(self._prefix):
                continue  # a version of a key that starts like this one and a dot
            head = self.store.head(entry.key)
            metadata = None if head is None else ValueMetadata.parse(head.metadata)
            if metadata is None:
                self._report(f"{entry.key!r} of {self.store} is no version that was kept here")
            else:
                found.append(Version(entry.key.removeprefix(self._prefix), entry.key, metadata))
        return sorted(found, key=lambda each: (each.metadata.published_at, each.id), reverse=True)

    def find(self, start: str) -> Version:
        """The version whose id or payload digest starts like this.

        Raises:
            AdapterError: There is none, or there are several.
            ValueError: It is too short to tell.
        """
        if len(start) < _FEWEST_DIGITS:
            raise ValueError(f"version: expected at least {_FEWEST_DIGITS} digits of its id, got {start!r}")
        known = self.all()
        start = start.lower()
        found = [
            each for each in known if each.id.startswith(start) or each.metadata.payload.startswith(start)
        ]
        if len(found) != 1:
            there = ", ".join(each.id for each in known) or "none"
            what = "no version" if not found else "more than one version"
            raise AdapterError(
                f"{self.store}: {what} of key {self._key!r} starts with {start!r}; kept: {there}"
            )
        return found[0]

    @staticmethod
    def in_use(stored: Stored, known: Sequence[Version]) -> Version | None:
        """Which of the versions is in use; None if it is something else.

        Args:
            stored: What is in use.
            known: All versions.
        """
        if stored.metadata is not None:
            return next((each for each in known if each.metadata.sha256 == stored.metadata.sha256), None)
        if stored.payload is None:
            return None
        # Not every store keeps metadata.
        digest = sha256(stored.payload).hexdigest()
        return next((each for each in known if each.metadata.payload == digest), None)

    def before(self, stored: Stored) -> Version:
        """The version that was in use before the one that is.

        What was rolled back in between is passed over. Where nothing is known of that, or it is not kept any
        more, it is the one that was published last before the one in use.

        Args:
            stored: What is in use.

        Raises:
            AdapterError: There is none.
        """
        known = self.all()
        in_use = self.in_use(stored, known)
        said = stored.metadata or (None if in_use is None else in_use.metadata)
        if said is not None and said.before is not None:
            for each in known:
                if each.id == said.before:
                    return each
        at = -1 if in_use is None else known.index(in_use)
        if at + 1 >= len(known):
            raise AdapterError(
                f"{self.store}: no version of key {self._key!r} before the current one is kept"
            )
        return known[at + 1]

    def read(self, version: Version) -> Item:
        """The value of a version, as it was published.

        Raises:
            AdapterError: It is gone, or is another one.
        """
        item = self.store.read(version.key)
        if item is None or sha256(item.value).hexdigest() != version.metadata.sha256:
            raise AdapterError(
                f"{self.store}: version {version.id} of key {self._key!r} is not what was kept"
            )
        return item

    def prune(self, keep: int, in_use: ValueMetadata) -> list[Version]:
        """Deletes all but the newest, and returns those that are left.

        Args:
            keep: How many are to be left.
            in_use: The value that is in use; its version stays, and the one that was in use before it if two
                may stay.

        Raises:
            AdapterError: They could not be listed or deleted.
        """
        known = self.all()
        # What is needed first, and then from the newest to the oldest.
        needed = (self.id_of(in_use), in_use.before)
        known.sort(key=lambda each: needed.index(each.id) if each.id in needed else len(needed))
        left: list[Version] = []
        for version in known:
            if len(left) < keep or version.id == needed[0]:
                left.append(version)
                continue
            head = self.store.head(version.key)
            if head is not None:
                try:
                    self.store.delete(version.key, version=head.version)
                except Conflict:
                    left.append(version)  # it was published again at this moment
        return left
