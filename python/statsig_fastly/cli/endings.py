"""How commands end: one line on stderr for what went wrong, and a status that says of which kind it was.

In: what a command raises. Out: an exit status. 0: done. 1: it failed. 2: the command line or what it names is
wrong. 3: a guard refused.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FAILED", "REFUSED", "WRONG", "ending"]

FAILED: Final = 1
WRONG: Final = 2
REFUSED: Final = 3

_INTERRUPTED: Final = 130


@contextmanager
def ending(command: str, *, as_json: bool) -> Iterator[None]:
    """Turns what is raised inside into a line and a status.

    Args:
        command: What the command is called.
        as_json: Whether to tell it on stdout as well, as JSON.
    """
    from statsig_fastly.errors import StatsigFastlyError
    from statsig_fastly.publish.refused import PublishRefusedError

    more: dict[str, Any] = {}
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except PublishRefusedError as error:
        said, status = str(error), REFUSED
        more = {"why": error.why, "flips": None if error.flips is None else asdict(error.flips)}
    except (StatsigFastlyError, OSError) as error:
        said, status = str(error), FAILED
    except (ValueError, TypeError) as error:
        said, status = str(error), WRONG
    except KeyboardInterrupt:
        said, status = "interrupted", _INTERRUPTED
    else:
        return
    if as_json:
        from statsig_fastly.cli.showing import print_json

        print_json({"error": said, "status": status, **more})
    from statsig_fastly.cli.showing import printable

    sys.stderr.write(f"statsig-fastly {command}: {printable(' '.join(said.split()))}\n")
    raise typer.Exit(status)
