"""The official core with ID lists: it fetches them, so a server on loopback has them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loopback import Listener, Peer, http
from reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["reference_with_id_lists"]


@contextmanager
def reference_with_id_lists(payload: bytes, files: Mapping[str, bytes]) -> Iterator[Reference]:
    """The official core, holding one payload and these lists.

    Args:
        payload: The config specs, v2 format.
        files: What the file of each list says. Names that can stand in a URL.
    """

    def serve(peer: Peer) -> None:
        while request := peer.request():
            path = request.split(b" ", 2)[1].decode()
            if path.startswith("/lists/"):
                peer.send(http(body=files[path.removeprefix("/lists/")]))
            elif "get_id_lists" in path:
                peer.send(http(body=json.dumps(manifest).encode()))
            else:
                peer.send(http(404))

    with Listener(serve) as server:
        manifest = {
            name: {
                "name": name,
                "size": len(lines),
                "url": f"{server.url}/lists/{name}",
                "creationTime": 1,
                "fileID": f"file of {name}",
            }
            for name, lines in files.items()
        }
        network: dict[str, Any] = {
            "disable_network": False,
            "specs_url": f"{server.url}/v2/download_config_specs",
            "log_event_url": f"{server.url}/v1/log_event",
            "id_lists_url": f"{server.url}/v1/get_id_lists",
            "enable_id_lists": True,
        }
        with Reference(payload, **network) as reference:
            yield reference
