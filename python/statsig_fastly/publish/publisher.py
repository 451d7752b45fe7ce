"""Taking a payload to a store: validated, guarded, written over nothing but what was seen, and verified.

In: a payload, a store and a key. Out: `PublishReport`, or what kept it from being published. A reader sees
the old payload or the new one, at every moment, whatever breaks off.

The order of writes: chunks, then the value under the key, on condition that what was judged is still there,
then the version that is kept. Where something else is there, everything is judged anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from statsig_fastly.chunks import Manifest
from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.chunk_upkeep import put_chunks
from statsig_fastly.publish.form import Form, in_form
from statsig_fastly.publish.guards import guard_age, guard_flips
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.options import PublishOptions
from statsig_fastly.publish.report import Outcome, PublishReport
from statsig_fastly.publish.retries import Patience
from statsig_fastly.publish.specs import Specs, encoded
from statsig_fastly.publish.steps import Steps
from statsig_fastly.publish.store import Conflict
from statsig_fastly.publish.stored import Stored, chunks_of, look, payload_in
from statsig_fastly.publish.target_app import filter_for_app
from statsig_fastly.publish.upkeep import is_whole, keep_what_is_there, manifest_there, tidy
from statsig_fastly.publish.validation import Validation, Warned, validate, validated
from statsig_fastly.publish.verification import verify
from statsig_fastly.publish.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.adapters import IdListAdapter
    from statsig_fastly.publish.flips import Flips
    from statsig_fastly.publish.id_lists import IdListPublisher
    from statsig_fastly.publish.list_lines import IdLines
    from statsig_fastly.publish.store import Store

__all__ = ["Publisher"]

_ATTEMPTS: Final = 30
_ATTEMPTS_BY_HEAD: Final = 3
_AGAIN_S: Final = 0.1
_LONGEST_AGAIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _GoesBack:
    """A version that is put back.

    Attributes:
        before: Id of the version to go back to from there; None if that is not known.
        restamped: Whether it has a newer time than what it takes the place of.
    """

    before: str | None
    restamped: bool


class Publisher:
    """Publishes to one key of one store.

    Args:
        store: The store.
        key: The key.
        options: How to publish.
        versions: Where published versions are kept; None: in the store.
        patience: How to wait when somebody else is writing, or reads are behind.
        clock: Seconds since the epoch.
        progress: Told of every step by its name, and within it of how much is done of how much.

    Attributes:
        versions: The versions that are kept.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        options: PublishOptions | None = None,
        *,
        versions: Store | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> None:
        self._store = store
        self._key = key
        self._options = PublishOptions() if options is None else options
        self.versions = Versions(store if versions is None else versions, key)
        self._patience = Patience() if patience is None else patience
        self._clock = clock
        self._progress = progress
        self._steps = Steps(progress)
        self._lists: Callable[[], tuple[IdLines, IdLines]] | None = None

    @property
    def place(self) -> str:
        """The store and the key, in words."""
        return f"key {self._key!r} of {self._store}"

    def beside(self, lists: IdListAdapter, there: IdListAdapter | None = None) -> IdListPublisher:
        """What publishes ID lists beside the key. They count where users are counted.

        Args:
            lists: Where they come from.
            there: What reads those that are beside the key.

        Raises:
            ValueError: The store cannot hold lists, or the key leaves no room for theirs.
        """
        from statsig_fastly.publish.id_lists import IdListPublisher
        from statsig_fastly.publish.list_lines import read_lines

        own = IdListPublisher(lists, self._store, self._key, wait=self._patience.wait, clock=self._clock)
        self._lists = lambda: ({} if there is None else read_lines(there), own.lines())
        return own

    def publish(self, body: bytes) -> PublishReport:
        """Publishes a payload, unless it is there already.

        Args:
            body: JSON text, in either of Statsig's formats.

        Raises:
            PayloadError: No client could use it.
            PublishRefusedError: A guard kept it from being published.
            AdapterError: The store failed, or somebody else wrote to it all the time.
        """
        self._steps = Steps(self._progress)
        return self._publish_anew(body, None)

    def _publish_anew(self, body: bytes, goes_back: _GoesBack | None) -> PublishReport:
        with self._steps.timed("validate"):
            valid = self._valid(body)
        with self._steps.timed("encode"):
            form = self._form(valid.body)
        return self._publish(valid, form, goes_back)

    def look(self) -> Stored:
        """What is there now.

        Raises:
            AdapterError: The store failed.
        """
        return look(self._store, self._key)

    def roll_back(self, start: str | None = None, *, restamp: bool = False) -> PublishReport:
        """Puts a version back that was kept, byte for byte as it was stored, over a newer one.

        What it takes the place of is not published over it again, but for something newer still: see
        `ValueMetadata.hold`. SDKs take no payload with a time before that of the one they have.

        Args:
            start: How the id of the version starts; None for the version before the current one.
            restamp: Whether to give it a time after that of the current one, so that SDKs do take it. It is
                another payload then, and has no checksum.

        Raises:
            PayloadError: No client could use it.
            PublishRefusedError: Too many users would get another answer.
            AdapterError: As for `publish`; or there is no such version, or it is not whole any more.
            ValueError: `start` is too short to tell.
        """
        self._steps = Steps(self._progress)
        with self._steps.timed("read the version"):
            stored = self.look()
            version = self.versions.find(start) if start is not None else self.versions.before(stored)
            item = self.versions.read(version)
            payload = payload_in(self._store, self._key, item)
            manifest = Manifest.parse(item.value, self.place)
            chunks = {} if manifest is None else chunks_of(self._store, self._key, manifest)
        goes_back = _GoesBack(version.metadata.before or (version.id if restamp else None), restamp)
        if restamp:
            data = {**Specs.parse(payload).data, "time": max(stored.time, stored.hold) + 1}
            data.pop("checksum", None)
            return self._publish_anew(encoded(data), goes_back)
        with self._steps.timed("validate"):
            valid = validate(payload)
        keys = {} if manifest is None else manifest.chunk_keys(self._key)
        form = Form(
            item.value,
            version.metadata.sha256,
            version.metadata.encoding,
            manifest,
            {keys[chunk]: value for chunk, value in chunks.items()},
        )
        return self._publish(valid, form, goes_back)

    def _publish(self, valid: Validation, form: Form, goes_back: _GoesBack | None) -> PublishReport:
        for attempt in range(1, _ATTEMPTS + 1):
            with self._steps.timed("look"):
                # What answers without the value may be further behind than what answers with it.
                stored = look(self._store, self._key, whole=attempt > _ATTEMPTS_BY_HEAD)
            same = stored.holds(valid.body, valid.digest, form.encoding)
            if same and (form.manifest is None or is_whole(self._store, self._key, stored)):
                return self._report("unchanged", valid, form, stored, attempt)
            if not same and (goes_back is None or goes_back.restamped) and not self._options.force:
                guard_age(stored, valid.time, self.place)
            flips = self._guard_flips(stored, valid)
            if self._options.dry_run:
                return self._report("would publish", valid, form, stored, attempt, flips=flips)
            replaced = manifest_there(self._store, self._key, stored)
            try:
                metadata, written = self._write(stored, valid, form, replaced, goes_back, same=same)
            except Conflict:
                self._patience.wait(min(attempt * _AGAIN_S, _LONGEST_AGAIN_S))
                continue
            with self._steps.timed("verify"):
                outcome = verify(
                    self._store,
                    self._key,
                    form,
                    valid.time,
                    replaced=stored.version,
                    wait=self._patience.wait,
                )
            with self._steps.timed("tidy"):
                version, untidy = self._tidy(form, metadata, replaced, prune=goes_back is None)
            return self._report(
                outcome,
                valid,
                form,
                stored,
                attempt,
                version=version,
                written=written,
                flips=flips,
                more=untidy,
            )
        raise AdapterError(
            f"publishing to {self.place}: somebody else wrote to it {_ATTEMPTS} times in a row",
            retryable=True,
        )

    # Before anything is written

    def _valid(self, body: bytes) -> Validation:
        with_id_lists = self._lists is not None
        valid, specs = validated(body, with_id_lists=with_id_lists)
        if self._options.target_app is None:
            return valid
        filtered = filter_for_app(specs, self._options.target_app)
        return validate(encoded(filtered.specs.data), with_id_lists=with_id_lists)

    def _form(self, body: bytes) -> Form:
        options = self._options
        return in_form(
            body,
            self._key,
            self._store,
            compression=options.compression,
            chunking=options.chunking,
            keep=options.keep,
        )

    def _guard_flips(self, stored: Stored, valid: Validation) -> Flips | None:
        options = self._options
        if options.max_flips is None or not stored.is_there:
            return None
        with self._steps.timed("count flips"):
            there = stored.payload or look(self._store, self._key, whole=True).payload
            if there is None:  # what is there is no payload: nobody gets an answer from it
                return None
            return guard_flips(
                there,
                valid.body,
                options.max_flips,
                options.users,
                sample=options.sample,
                seed=options.seed,
                lists=self._lists,
                progress=lambda done, total: self._steps.tell("count flips", done, total),
            )

    # Writing

    def _write(
        self,
        stored: Stored,
        valid: Validation,
        form: Form,
        replaced: Manifest | None,
        goes_back: _GoesBack | None,
        *,
        same: bool,
    ) -> tuple[ValueMetadata, int]:
        """Writes chunks, and the value under the key only over what was judged."""
        before: str | None = None
        if self._options.keep:
            with self._steps.timed("keep"):
                before = keep_what_is_there(self._store, self._key, self.versions, stored, self._clock())
        hold: int | None = None
        if goes_back is not None:
            before = goes_back.before
            # What has a newer time is not held off by a guard.
            hold = None if goes_back.restamped else max(stored.time, stored.hold)
        if same and stored.metadata is not None:  # and what is lost of it is put back
            hold, before = stored.metadata.hold, stored.metadata.before
        metadata = self._metadata(valid, form, hold, before)
        written = 0
        if form.manifest is not None:
            in_use = [] if replaced is None else list(replaced.chunk_keys(self._key).values())
            with self._steps.timed("chunks"):
                written = self._put_chunks(form, in_use)
        with self._steps.timed("write"):
            try:
                self._store.write(self._key, form.value, metadata.text, replaces=stored.version)
            except Conflict:
                # Unless an answer was lost, and the write was made again over itself.
                there = self._store.head(self._key)
                if there is None or there.metadata != metadata.text:
                    raise
        return metadata, written

    def _put_chunks(self, form: Form, in_use: list[str]) -> int:
        return put_chunks(
            self._store,
            self._key,
            form.chunks,
            in_use,
            lambda done, all_of_them: self._steps.tell("chunks", done, all_of_them),
        )

    def _metadata(self, valid: Validation, form: Form, hold: int | None, before: str | None) -> ValueMetadata:
        return ValueMetadata(
            time=valid.time,
            sha256=form.sha256,
            specs=sum(valid.counts.values()),
            payload=valid.digest,
            size=len(valid.body),
            encoding=form.encoding,
            published_at=int(self._clock() * 1000),
            app=self._options.target_app,
            hold=hold,
            before=before,
        )

    # Afterwards

    def _tidy(
        self, form: Form, metadata: ValueMetadata, replaced: Manifest | None, *, prune: bool
    ) -> tuple[str | None, tuple[Warned, ...]]:
        """Keeps the version, and tidies up. What is published is published, so a failure is a warning."""
        keep = self._options.keep
        version: str | None = None
        try:
            if keep:
                version = self.versions.keep(form.value, metadata)
            tidy(
                self._store,
                self._key,
                self.versions,
                # Who goes back may not know how many versions are to be kept.
                keep=keep if prune else 0,
                form=form,
                metadata=metadata,
                replaced=replaced,
                now=self._clock(),
            )
        except AdapterError as error:
            return version, (Warned("", f"old versions and chunks are left for the next time: {error}"),)
        return version, ()

    def _report(
        self,
        outcome: Outcome,
        valid: Validation,
        form: Form,
        stored: Stored,
        attempts: int,
        *,
        version: str | None = None,
        written: int = 0,
        flips: Flips | None = None,
        more: tuple[Warned, ...] = (),
    ) -> PublishReport:
        return PublishReport(
            outcome=outcome,
            place=self.place,
            time=valid.time,
            previous_time=stored.time if stored.is_there else None,
            digest=valid.digest,
            size=len(valid.body),
            stored_size=len(form.value) + sum(map(len, form.chunks.values())),
            encoding=form.encoding,
            chunks=len(form.chunks),
            chunks_written=written,
            counts=valid.counts,
            warnings=(*valid.warnings, *more),
            version=version,
            flips=flips,
            attempts=attempts,
            seconds=dict(self._steps.seconds),
        )
