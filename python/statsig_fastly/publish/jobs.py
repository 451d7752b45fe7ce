"""A publish as a command line describes it: from where to where, and how; opened, done once or for good."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.options import PublishOptions
from statsig_fastly.publish.places import Access, Place, open_id_lists, open_source, open_store
from statsig_fastly.publish.publisher import Publisher
from statsig_fastly.publish.retries import Patience
from statsig_fastly.publish.watch import Stopped, Watch

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from statsig_fastly._native import StatsigUser
    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.publish.encoding import Compression
    from statsig_fastly.publish.form import Chunking
    from statsig_fastly.publish.id_lists import IdListPublisher
    from statsig_fastly.publish.report import PublishReport
    from statsig_fastly.publish.watch import WatchState

__all__ = ["OpenJob", "PublishJob", "open_job", "open_publisher"]


@dataclass(frozen=True, slots=True)
class PublishJob:
    """What is to be published. The attributes that `PublishOptions` has as well are described there.

    Attributes:
        source: Where it comes from.
        target: Where it goes to.
        access: How to get there.
        history: Directory where versions are kept; None: in the store.
        id_lists: Whether ID lists are published beside it.
        sample: How many users are made up where none are given.
        seed: Another one makes up other users.
    """

    source: Place
    target: Place
    access: Access
    target_app: str | None = None
    compression: Compression = "plain"
    chunking: Chunking = "auto"
    keep: int = 5
    history: Path | None = None
    id_lists: bool = False
    force: bool = False
    max_flips: float | None = None
    users: Sequence[StatsigUser] | None = None
    sample: int = 10_000
    seed: int = 2024
    dry_run: bool = False

    @property
    def options(self) -> PublishOptions:
        """How to publish."""
        # What stands in a manifest is a developer's own: nothing is added to it.
        keep = self.keep if self.target.kind != "toml" or self.history is not None else 0
        return PublishOptions(
            target_app=self.target_app,
            compression=self.compression,
            chunking="never" if self.target.kind == "toml" else self.chunking,
            keep=keep,
            force=self.force,
            max_flips=self.max_flips,
            users=self.users,
            sample=self.sample,
            seed=self.seed,
            dry_run=self.dry_run,
        )


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A publish whose source and store are open.

    Attributes:
        source: Where payloads come from.
        publisher: What publishes them.
        id_lists: What publishes ID lists beside them; None for nothing.
    """

    source: SpecAdapter
    publisher: Publisher
    id_lists: IdListPublisher | None = None

    def publish(self) -> PublishReport:
        """Publishes what the source has now.

        Raises:
            StatsigFastlyError: As for `Publisher.publish`, or the source could not be read.
        """
        payload = self.source.fetch()
        if payload is None:
            raise AdapterError(
                f"{self.source.name}: it says that nothing is new, and was not told of anything"
            )
        report = self.publisher.publish(payload.body)
        if self.id_lists is None:
            return report
        return replace(report, id_lists=self.id_lists.publish())

    def watch(
        self,
        interval: float,
        stopped: threading.Event,
        report: Callable[[WatchState, PublishReport | None], object],
    ) -> None:
        """Publishes what the source has, until `stopped` is set: see `Watch`."""
        beside = None if self.id_lists is None else self.id_lists.publish
        watch = Watch(self.source, self.publisher, interval, stopped=stopped, report=report, beside=beside)
        watch.run()


@contextmanager
def open_job(
    job: PublishJob,
    stopped: threading.Event | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Iterator[OpenJob]:
    """Opens the source and the store of a job, and closes them in the end.

    Args:
        job: The job.
        stopped: Ends every wait when it is set.
        progress: As for `Publisher`.

    Raises:
        ValueError: What the places take is missing or cannot work.
    """
    source = open_source(job.source, job.access)
    try:
        with open_publisher(
            job.target, job.access, job.options, job.history, stopped=stopped, progress=progress
        ) as publisher:
            if not job.id_lists:
                yield OpenJob(source, publisher)
                return
            with ExitStack() as open_lists:
                lists = open_lists.enter_context(closing(open_id_lists(job.source, job.access)))
                there = None
                if job.target.kind == "kv":
                    there = open_lists.enter_context(closing(open_id_lists(job.target, job.access)))
                beside = publisher.beside(lists, there)
                yield OpenJob(source, publisher, None if job.dry_run else beside)
    finally:
        source.close()


@contextmanager
def open_publisher(
    target: Place,
    access: Access,
    options: PublishOptions,
    history: Path | None = None,
    *,
    stopped: threading.Event | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Iterator[Publisher]:
    """A publisher to a place, whose store is closed in the end.

    Raises:
        ValueError: What the place takes is missing or cannot work.
    """
    from statsig_fastly.publish.directory_store import DirectoryStore

    patience = Patience(wait=time.sleep if stopped is None else _waiting_for(stopped))
    store, key = open_store(target, access, patience)
    try:
        yield Publisher(
            store,
            key,
            options,
            versions=None if history is None else DirectoryStore(history),
            patience=patience,
            progress=progress,
        )
    finally:
        store.close()


def _waiting_for(stopped: threading.Event) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        if stopped.wait(seconds):
            raise Stopped

    return wait
