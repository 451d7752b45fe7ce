"""Several adapters as one: the first that answers.

In: adapters, in the order in which they are asked. Out: what the first of them gives that does not fail; or
one `AdapterError` that says how each of them failed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from statsig_fastly.adapters import IdListAdapter, Payload, SpecAdapter
from statsig_fastly.errors import AdapterError, described

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from statsig_fastly.adapters import IdListFile

__all__ = ["ChainAdapter"]

T = TypeVar("T")


class ChainAdapter:
    """Asks one adapter after the other, until one answers. Safe to use from several threads, if they are.

    Every `fetch` begins with the first adapter, so it is used again as soon as it works again. What it then
    gives may be older than what a later one gave meanwhile; telling that is left to whoever uses it. An
    adapter is shown a held version only if it is its own, so that one after the other downloads in full when
    they take turns. One whose store asked to be left alone (`AdapterError.retry_after`) is passed over for
    that long.

    If any of the adapters has ID lists, the chain has them as well: those of the first that answers.

    Args:
        adapters: The adapters, in the order in which they are asked.
        clock: Seconds of some clock that only moves forward.

    Raises:
        TypeError: One of them is not an adapter.
        ValueError: There is none.
    """

    __slots__ = ("_adapters", "_clock", "_failures")

    def __new__(cls, *adapters: SpecAdapter, clock: Callable[[], float] = time.monotonic) -> Self:  # noqa: ARG004, D102
        # A class of its own, because what has the methods counts as an adapter with ID lists.
        kind = cls
        if cls is ChainAdapter and any(isinstance(adapter, IdListAdapter) for adapter in adapters):
            kind = _ChainWithIdLists  # type: ignore[assignment]
        return super().__new__(kind)

    def __init__(self, *adapters: SpecAdapter, clock: Callable[[], float] = time.monotonic) -> None:
        if not adapters:
            raise ValueError("adapters: expected at least one adapter, got none")
        for at, adapter in enumerate(adapters):
            # A class has the members its instances have, and passes for an adapter.
            if isinstance(adapter, type) or not isinstance(adapter, SpecAdapter):
                found = (
                    f"the class {adapter.__name__}" if isinstance(adapter, type) else type(adapter).__name__
                )
                raise TypeError(
                    f"adapters[{at}]: expected an adapter with name, fetch and close, got {found}"
                )
        self._adapters = adapters
        self._clock = clock
        # By position of the adapter: its last failure with a `retry_after`, and when that is over.
        self._failures: dict[int, tuple[AdapterError, float]] = {}

    @property
    def name(self) -> str:
        """`Chain`. Evaluation reasons name the adapter that answered: `Adapter(FastlyKV):Recognized`."""
        return "Chain"

    @property
    def adapters(self) -> tuple[SpecAdapter, ...]:
        """The adapters, in the order in which they are asked."""
        return self._adapters

    @property
    def identity(self) -> str:
        """Tells this source from others: what its adapters say of themselves, or their names."""
        each = [str(getattr(adapter, "identity", adapter.name)) for adapter in self._adapters]
        return f"{self.name} [{', '.join(each)}]"

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Asks the adapters in order.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            What the first that does not fail gives: a payload, its source and version telling which adapter
            it is from; or None if that adapter still has `held_version`.

        Raises:
            AdapterError: All of them failed; the message says how, in order. `retryable` if any of the
                failures is; `retry_after` is the smallest if every one has some, `status` that of all of them
                if they have the same.
        """
        return self._first_answer(lambda at: self._fetch_from(at, held_version))

    def close(self) -> None:
        """Closes all of them, also if one raises something, which is raised in the end."""
        _close(self._adapters)

    def __repr__(self) -> str:
        return f"ChainAdapter({', '.join(map(repr, self._adapters))})"

    def _fetch_from(self, at: int, held_version: str | None) -> Payload | None:
        adapter, tag = self._adapters[at], self._tag(at)
        held = None
        if held_version is not None and held_version.startswith(tag):
            held = held_version[len(tag) :]
        payload: object = adapter.fetch(held)
        if payload is None and held is None:
            raise AdapterError("it says that nothing is new, and was not told of any version")
        if payload is None:
            return None
        if not isinstance(payload, Payload):
            raise AdapterError(f"expected a Payload or None from fetch, got {type(payload).__name__}")
        return replace(
            payload,
            version=None if payload.version is None else f"{tag}{payload.version}",
            source=payload.source or f"Adapter({adapter.name})",
        )

    def _first_answer(self, ask: Callable[[int], T], *, of: type = object) -> T:
        """What `ask` returns for the first adapter for which it does not fail.

        Args:
            ask: Gets the position of an adapter.
            of: Which kind of adapters are asked.
        """
        failures: list[tuple[str, AdapterError]] = []
        for at, adapter in enumerate(self._adapters):
            if not isinstance(adapter, of):
                continue
            failure = self._left_alone(at)
            if failure is None:
                try:
                    return ask(at)
                except AdapterError as error:
                    failure = error
                except Exception as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
                    failure = AdapterError(f"it raised {described(error)}", retryable=True)
                self._note(at, failure)
            failures.append((adapter.name, failure))
        raise _all_of(failures)

    def _note(self, at: int, failure: AdapterError) -> None:
        if failure.retry_after is not None:
            self._failures[at] = (failure, self._clock() + failure.retry_after)

    def _left_alone(self, at: int) -> AdapterError | None:
        """The failure of an adapter whose store asked to be left alone for now."""
        failure, until = self._failures.get(at, (None, 0.0))
        left = until - self._clock()
        if failure is None or left <= 0:
            return None
        return AdapterError(
            f"not asked for another {left:.3g} s after: {failure}",
            status=failure.status,
            retryable=failure.retryable,
            retry_after=left,
        )

    def _tag(self, at: int) -> str:
        """What a version or a location of an adapter begins with."""
        return f"{at}:{self._adapters[at].name}:"


class _ChainWithIdLists(ChainAdapter):
    """A chain of which at least one adapter has ID lists."""

    __slots__ = ()

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        """Reads which lists there are, from the first adapter that answers.

        Raises:
            AdapterError: All adapters that have ID lists failed; as with `fetch`.
        """
        return self._first_answer(self._id_lists_from, of=IdListAdapter)

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        """Reads lines of a list from the adapter that told of it: files of another may be other ones.

        Raises:
            AdapterError: They could not be read, or the list is of no adapter of this chain.
        """
        for at, adapter in enumerate(self._adapters):
            tag = self._tag(at)
            if isinstance(adapter, IdListAdapter) and file.location.startswith(tag):
                try:
                    return adapter.fetch_id_list(replace(file, location=file.location[len(tag) :]), start)
                except AdapterError as failure:
                    self._note(at, failure)
                    raise
        raise AdapterError(f"reading ID list {file.name!r}: it is of no adapter of this chain")

    def _id_lists_from(self, at: int) -> Sequence[IdListFile]:
        adapter, tag = self._adapters[at], self._tag(at)
        assert isinstance(adapter, IdListAdapter)  # noqa: S101 - what the caller chose by
        return [replace(file, location=f"{tag}{file.location}") for file in adapter.fetch_id_lists()]


def _close(adapters: tuple[SpecAdapter, ...]) -> None:
    if adapters:
        try:
            adapters[0].close()
        finally:
            _close(adapters[1:])


def _all_of(failures: list[tuple[str, AdapterError]]) -> AdapterError:
    """One error for all of them."""
    waits = [failure.retry_after for _, failure in failures if failure.retry_after is not None]
    statuses = {failure.status for _, failure in failures}
    told = "; ".join(f"{at}. {name}: {failure}" for at, (name, failure) in enumerate(failures, 1))
    return AdapterError(
        f"no adapter answered: {told}",
        status=statuses.pop() if len(statuses) == 1 else None,
        retryable=any(failure.retryable for _, failure in failures),
        # Each is passed over for as long as it asked for, so the others need not wait for that.
        retry_after=min(waits) if len(waits) == len(failures) else None,
    )
