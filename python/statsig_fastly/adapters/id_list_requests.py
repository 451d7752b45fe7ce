"""What is asked of Statsig's endpoints for ID lists: the requests of the official core.

In: an SDK key and addresses; a list, and the byte of its file to start from. Out: a `Request`. Nothing is
asked over plain http but of this machine, and the SDK key goes to hosts that may know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from statsig_fastly.adapters.checks import check_text
from statsig_fastly.adapters.statsig_headers import StatsigHeaders
from statsig_fastly.api_token import ApiAddress
from statsig_fastly.sdk_key import SdkKey
from statsig_fastly.transport import Request

if TYPE_CHECKING:
    from statsig_fastly.adapters import IdListFile

__all__ = ["IdListRequests"]

_CDN = "https://api.statsigcdn.com"
_INDEX = f"{_CDN}/v1/get_id_lists"
_FILES = f"{_CDN}/v1"
_STATSIGS_DOMAINS = ("statsigcdn.com", "statsigapi.net")

# Characters of a path or a query that are left as they are. '%' is one: there may be escapes already.
_LEFT = "/%:@!$&'()*+,;=~?"


class IdListRequests:
    """Makes requests. Safe to use from several threads. The arguments are those of `StatsigIdListAdapter`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    __slots__ = ("_api", "_headers", "_index", "_key_origins", "sdk_key")

    def __init__(
        self,
        sdk_key: str,
        id_lists_url: str | None,
        download_id_list_file_api: str | None,
        service_name: str | None,
    ) -> None:
        self.sdk_key = SdkKey.of_argument(sdk_key)
        # The default's own URL has the key in it, so it is made anew for each request.
        self._index: _Url | None = None
        self._key_origins = {_CDN}
        if id_lists_url is not None:
            self._index = _Url.of(check_text("id_lists_url", id_lists_url), "id_lists_url", "SDK key")
            self._key_origins = {self._index.origin}
        self._api: ApiAddress | None = None
        if download_id_list_file_api is not None:
            argument = "download_id_list_file_api"
            self._api = ApiAddress.of_argument(
                download_id_list_file_api, argument, example=_FILES, carries="SDK key"
            )
            self._key_origins.add(_Url.of(self._api.base, argument, "SDK key").origin)
        self._headers = StatsigHeaders(self.sdk_key, service_name)

    @property
    def origin(self) -> str:
        """Scheme, host and port of the index."""
        return _CDN if self._index is None else self._index.origin

    def index(self) -> Request:
        """Asks which lists there are."""
        if self._index is None:
            return self._request("GET", f"{_INDEX}/{self.sdk_key.quoted()}.json", self._headers.now())
        method = "GET" if self._index.url.startswith(_INDEX) else "POST"
        return self._request(method, self._index.url, self._headers.now(), b"" if method == "POST" else None)

    def file(self, file: IdListFile, start: int) -> Request:
        """Asks for the file of a list from a byte on.

        Raises:
            ValueError: It is at an address that is not asked. The message shows no path and no query.
        """
        url = _Url.of(self._replaced(file.location), "url", "list")
        headers = self._headers.now()
        if not self.may_know_the_key(url.url):
            del headers["statsig-api-key"]
        if url.origin == _CDN and start:
            # Only then: what is asked from the first byte on is asked with both headers there, too.
            more = "&" if "?" in url.target else "?"
            return self._request("GET", f"{url.url}{more}range={start}-", headers)
        headers |= {"range": f"bytes={start}-", "statsig-id-list-file-size": str(file.size)}
        return self._request("GET", url.url, headers)

    def may_know_the_key(self, url: str) -> bool:
        """Whether the SDK key may be sent there: to Statsig's hosts, and those the application named."""
        place = _Url.of(url, "url", "list")
        if place.origin in self._key_origins:
            return True
        host = urlsplit(place.origin).hostname or ""
        return any(host == domain or host.endswith(f".{domain}") for domain in _STATSIGS_DOMAINS)

    def _replaced(self, location: str) -> str:
        """The address of a file, at the host that the application named, if it named one."""
        if self._api is None:
            return location
        try:
            parts = urlsplit(location)
        except ValueError as problem:
            raise ValueError(f"url: expected a URL ({problem})") from None
        query = f"?{parts.query}" if parts.query else ""
        return f"{self._api.base}/{parts.path.lstrip('/')}{query}"

    def _request(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Request:
        key = self.sdk_key.quoted()
        return Request(method=method, url=url, hide=key if key in url else "", headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class _Url:
    """A URL that may be asked.

    Attributes:
        origin: Scheme, host and port; the port is left out where it is the one of the scheme.
        target: Path and query, percent-encoded.
    """

    origin: str
    target: str

    @classmethod
    def of(cls, text: str, argument: str, carries: str) -> _Url:
        """Checks a URL: https, or http on this machine, and no user information.

        Raises:
            ValueError: It is something else.
        """
        try:
            parts = urlsplit(text)
        except ValueError as problem:
            raise ValueError(f"{argument}: expected a URL ({problem})") from None
        base = ApiAddress.of_argument(
            f"{parts.scheme}://{parts.netloc}", argument, example=_INDEX, carries=carries
        ).base
        query = f"?{quote(parts.query, safe=_LEFT)}" if parts.query else ""
        port = ":443" if parts.scheme == "https" else ":80"
        return cls(base.removesuffix(port), f"{quote(parts.path or '/', safe=_LEFT)}{query}")

    @property
    def url(self) -> str:
        """All of it."""
        return self.origin + self.target
