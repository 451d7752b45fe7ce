"""An adapter that does what a test tells it to: answers in order, failures, answers that are held back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from statsig_fastly import Payload

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATIENCE", "HeldBack", "ScriptedAdapter"]

PATIENCE: Final = 30.0  # seconds until a test that hangs fails


class ScriptedAdapter:
    """Answers each `fetch` with the next of its answers, and goes on with the last.

    Args:
        answers: What `fetch` returns; an exception is raised, a function called, bytes are the body of
            a payload of a version of its own.

    Attributes:
        held: The `held_version` of each fetch so far.
        closed: How often it was closed.
        close_error: What `close` raises, if anything.
    """

    name = "Scripted"

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self._lock = threading.Lock()
        self.held: list[str | None] = []
        self.closed = 0
        self.close_error: BaseException | None = None

    def fetch(self, held_version: str | None = None) -> Payload | None:
        with self._lock:
            self.held.append(held_version)
            version = f"version {len(self.held)}"
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            answer = answer()
        if isinstance(answer, bytes):
            return Payload(answer, version)
        return answer  # type: ignore[return-value]  # also what is not allowed

    def close(self) -> None:
        self.closed += 1
        if self.close_error is not None:
            raise self.close_error


class HeldBack:
    """An answer that is not given before the test lets it go.

    Attributes:
        asked: Set when somebody waits for it.
        let_go: Set it to give the answer.
    """

    def __init__(self, answer: bytes | None, *, then: Callable[[], object] = lambda: None) -> None:
        self._answer, self._then = answer, then
        self.asked, self.let_go = threading.Event(), threading.Event()

    def __call__(self) -> bytes | None:
        self.asked.set()
        assert self.let_go.wait(PATIENCE)
        self._then()
        return self._answer
