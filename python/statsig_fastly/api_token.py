"""A Fastly API token and the address it may be sent to.

In: the `token` and `api` arguments of whatever talks to Fastly's API. Out: an `ApiToken`, which shows
itself to nobody by accident, and an `ApiAddress` over which it can travel safely.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOKEN_VARIABLE", "ApiAddress", "ApiToken"]

TOKEN_VARIABLE = "FASTLY_API_TOKEN"  # noqa: S105  # the name of a variable, the one Fastly's tools use


class ApiToken:
    """A token that neither `repr`, nor pickling, nor a traceback with local variables gives away."""

    __slots__ = ("_reveal",)

    def __init__(self, token: str) -> None:
        # A closure, because even a debugger that prints attributes one level deep shows no more of
        # it than its address.
        self._reveal: Callable[[], str] = lambda: token

    @classmethod
    def of_argument(cls, token: str | None) -> ApiToken:
        """The token given, or the one in the environment variable FASTLY_API_TOKEN.

        Args:
            token: What the caller passed as `token=`.

        Raises:
            TypeError: `token` is neither text nor None.
            ValueError: There is no token, or it holds a character no header can carry.
        """
        if token is not None and not isinstance(token, str):
            raise TypeError(f"token: expected str or None, got {type(token).__name__}")
        source = "token"
        if token is None:
            token, source = os.environ.get(TOKEN_VARIABLE, ""), f"environment variable {TOKEN_VARIABLE}"
            if not token:
                raise ValueError(
                    f"token: expected a Fastly API token, got None, and the {source} is not set; "
                    "pass token= or set the variable"
                )
        if not token:
            raise ValueError(
                f"token: expected a Fastly API token, got ''; leave it out to use {TOKEN_VARIABLE}"
            )
        odd = next((at for at, letter in enumerate(token) if not "!" <= letter <= "~"), None)
        if odd is not None:
            raise ValueError(
                f"{source}: expected printable ASCII without spaces or line breaks, got another "
                f"character at position {odd} of {len(token)}"
            )
        return cls(token)

    def reveal(self) -> str:
        """The token itself. Keep it out of local variables: some error reporters print those."""
        return self._reveal()

    def scrub(self, text: str) -> str:
        """`text` with the token, should somebody have echoed it, taken out."""
        return text.replace(self._reveal(), "[token]")

    def __repr__(self) -> str:
        return "ApiToken(…)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an API token cannot be pickled or copied; give each process its own")


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where Fastly's API is.

    Attributes:
        base: Scheme, host, port and path prefix without a slash at the end.
        host: Host and port, for messages.
    """

    base: str
    host: str

    @classmethod
    def of_argument(
        cls,
        api: str,
        argument: str = "api",
        *,
        example: str = "https://api.fastly.com",
        carries: str = "token",
    ) -> ApiAddress:
        """Checks that a token may travel to `api`.

        Args:
            api: An https URL; or an http URL whose host is this machine (`localhost`, 127.0.0.0/8,
                `[::1]`), for the emulator.
            argument: What the caller calls it.
            example: One that would do, for messages.
            carries: What travels there, for messages.

        Raises:
            TypeError: `api` is not text.
            ValueError: Any other scheme, no host, or user information, query or fragment.
        """
        import re
        from urllib.parse import urlsplit

        if not isinstance(api, str):
            raise TypeError(f"{argument}: expected str, got {type(api).__name__}")
        if "@" in api:  # what stands before it may be a password, so it is not shown
            raise ValueError(f"{argument}: expected a URL without user information, got one with '@'")
        try:
            parts = urlsplit(api)
            host, port = parts.hostname or "", parts.port
        except ValueError as problem:
            raise ValueError(f"{argument}: expected a URL, got {api!r} ({problem})") from None
        # Put together again from checked parts, so that no two readers of it can disagree on the host.
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*", host):
            raise ValueError(f"{argument}: expected a URL such as {example!r}, got {api!r}")
        if parts.query or parts.fragment or not re.fullmatch(r"[A-Za-z0-9/._~-]*", parts.path):
            raise ValueError(f"{argument}: expected scheme, host and at most a plain path, got {api!r}")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
            raise ValueError(
                f"{argument}: expected https, or http on this machine (localhost, 127.0.0.1, [::1]), "
                f"got {api!r}; the {carries} would travel unencrypted"
            )
        shown = f"[{host}]" if ":" in host else host
        if port is not None:
            shown = f"{shown}:{port}"
        return cls(f"{parts.scheme}://{shown}{parts.path.rstrip('/')}", shown)


def _is_this_machine(host: str) -> bool:
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
