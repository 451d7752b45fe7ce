"""The official core with ID lists: it fetches them, so a server on loopback has them."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loopback import Listener, Peer, http
from reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["id_list_file", "reference_with_id_lists", "served_id_lists"]


def id_list_file(units: Iterable[str]) -> bytes:
    """The file of a list these unit ids are on."""
    hashes = (base64.b64encode(hashlib.sha256(unit.encode()).digest())[:8] for unit in units)
    return b"".join(b"+%b\n" % text for text in hashes)


@contextmanager
def served_id_lists(files: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """Options of the official core with which it has these lists: what the file of each says, by name."""
    names = list(files)

    def serve(peer: Peer) -> None:
        while request := peer.request():
            path = request.split(b" ", 2)[1].decode()
            if path.startswith("/lists/"):
                peer.send(http(body=files[names[int(path.removeprefix("/lists/").partition("?")[0])]]))
            elif "get_id_lists" in path:
                peer.send(http(body=json.dumps(manifest).encode()))
            else:
                peer.send(http(404))

    with Listener(serve) as server:
        manifest = {
            name: {
                "name": name,
                "size": len(lines),
                "url": f"{server.url}/lists/{number}",
                "creationTime": 1,
                "fileID": f"file of {name}",
            }
            for number, (name, lines) in enumerate(files.items())
        }
        yield {
            "disable_network": False,
            "specs_url": f"{server.url}/v2/download_config_specs",
            "log_event_url": f"{server.url}/v1/log_event",
            "id_lists_url": f"{server.url}/v1/get_id_lists",
            "enable_id_lists": True,
        }


@contextmanager
def reference_with_id_lists(
    payload: bytes | str,
    files: Mapping[str, bytes],
    *settings: Any,  # noqa: ANN401 - as the reference takes them
    **options: Any,  # noqa: ANN401
) -> Iterator[Reference]:
    """The official core, holding one payload and these lists.

    Args:
        payload: The config specs, v2 format.
        files: What the file of each list says, by the list's name.
        settings: Further arguments of `Reference`.
        options: The same, by name.
    """
    with (
        served_id_lists(files) as network,
        Reference(payload, *settings, **{**network, **options}) as reference,
    ):
        yield reference
