"""What Statsig's SDKs say of themselves in the headers of every request for specs and ID lists.

The names are those of the official core.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from statsig_fastly.adapters.checks import check_text

if TYPE_CHECKING:
    from statsig_fastly.sdk_key import SdkKey

__all__ = ["StatsigHeaders"]


class StatsigHeaders:
    """Makes them, with one session id for each process.

    Args:
        sdk_key: Server key of the project.
        service_name: What Statsig is told the application is called.

    Raises:
        TypeError: The name is not text.
        ValueError: The name has control characters.
    """

    __slots__ = ("_sdk_key", "_service_name", "_session")

    def __init__(self, sdk_key: SdkKey, service_name: str | None) -> None:
        self._sdk_key = sdk_key
        self._service_name = "unknown" if service_name is None else _header("service_name", service_name)
        self._session = (0, "")

    def now(self) -> dict[str, str]:
        """The headers of a request that is made now. They hold the SDK key."""
        from statsig_fastly.events.requests import event_metadata

        session = self._session
        if session[0] != os.getpid():  # another in a forked child
            from uuid import uuid4

            session = self._session = (os.getpid(), str(uuid4()))
        about = event_metadata(session[1])
        return {
            "statsig-api-key": self._sdk_key.reveal(),
            "statsig-sdk-type": about["sdkType"],
            "statsig-sdk-version": about["sdkVersion"],
            "statsig-server-session-id": session[1],
            "statsig-client-time": str(int(time.time() * 1000)),
            "x-request-service": self._service_name,
            "Accept": "*/*",  # as urllib3 writes it, which has one of its own for proxies
        }


def _header(argument: str, value: object) -> str:
    """Text as a header field holds it: its UTF-8, one letter for each byte."""
    text = check_text(argument, value)
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in text):
        raise ValueError(f"{argument}: expected text without control characters, got {text[:100]!r}")
    try:
        return text.encode().decode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{argument}: expected valid Unicode, got half a surrogate pair") from None
