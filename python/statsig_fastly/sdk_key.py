"""A Statsig SDK key that shows itself to nobody by accident."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import quote

from statsig_fastly.api_token import ApiToken

__all__ = ["SdkKey"]

_DIGEST_DIGITS = 16


class SdkKey(ApiToken):
    """A server key, hidden as an `ApiToken` is."""

    __slots__ = ()

    @classmethod
    def of_argument(cls, token: str | None, argument: str = "sdk_key") -> SdkKey:
        """Checks that a key can be sent.

        Args:
            token: What the caller passed.
            argument: What the caller calls it.

        Raises:
            TypeError: It is not text.
            ValueError: It is empty, or holds a character no header can carry. The message does not show it.
        """
        if not isinstance(token, str):
            raise TypeError(f"{argument}: expected str, got {type(token).__name__}")
        if not token:
            raise ValueError(f"{argument}: expected an SDK key, got ''")
        odd = next((at for at, letter in enumerate(token) if not "!" <= letter <= "~"), None)
        if odd is not None:
            # What is wrong is often a line end, out of a file.
            raise ValueError(
                f"{argument}: expected printable ASCII without spaces or line breaks, got another "
                f"character at position {odd} of {len(token)}"
            )
        return cls(token)

    @property
    def digest(self) -> str:
        """The start of the SHA-256 digest of the key, in hex: tells keys apart, and gives none away."""
        from hashlib import sha256

        return sha256(self.reveal().encode()).hexdigest()[:_DIGEST_DIGITS]

    def quoted(self) -> str:
        """The key as it stands in the path of a URL. Keep it out of local variables."""
        return quote(self.reveal(), safe="")

    def scrub(self, text: str) -> str:
        """`text` with the key taken out, as it is and as it stands in a URL."""
        if self.quoted() != self.reveal():
            text = text.replace(self.quoted(), "[SDK key]")
        return text.replace(self.reveal(), "[SDK key]")

    def __repr__(self) -> str:
        return "SdkKey(…)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an SDK key cannot be pickled or copied; give each process its own")
