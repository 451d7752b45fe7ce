"""Applications of all kinds, served in a sandbox: what they are called with, and what a client gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("wasmtime", reason="`make compute-test` installs wasmtime where Python is 3.12 or newer")

from compute.fastly import Ask, Body, Fastly, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from compute.sandbox import Program

    Serve = Callable[..., list[Response]]

# What is called to serve everything that follows.
USE = "import main\n{}\nmain.HttpIncoming._app = app\nanswer = 1\n"
GOOD = "start_response('200 OK', [('content-type', 'text/plain')])"


@pytest.fixture
def serve(probe_program: Program, fastly: Fastly) -> Serve:
    """Has an application answer requests, and returns its responses."""
    from compute.sandbox import Sandbox

    def run(application: str, *asks: Ask) -> list[Response]:
        first = Ask("POST", body=Body(bytearray(USE.format(application).encode())))
        used, *responses = Sandbox(probe_program, fastly).serve([first, *asks])
        assert used.status == 200, used.text
        return responses

    return run


SHOW = f"""
import json
from wsgiref.validate import validator

@validator
def app(environ, start_response):
    told = {{name: value for name, value in environ.items() if isinstance(value, str | bool)}}
    told["read"] = environ["wsgi.input"].read(100).decode()
    {GOOD}
    return [json.dumps(told).encode()]
"""


def shown(serve: Serve, ask: Ask) -> dict[str, Any]:
    (response,) = serve(SHOW, ask)
    assert response.status == 200
    told: dict[str, Any] = json.loads(response.text)
    return told


def test_environment(serve: Serve) -> None:
    headers = {
        "host": b"service.test",
        "content-type": b"text/x",
        "content-length": b"4",
        "x-several": b"1\x002",
        "cookie": b"a=1\0b=2",
        "x-latin": b"\xfc",
        "x_spoofed": b"1",
        "x-empty": b"",
    }
    uri = "https://service.test:8443/a%2Fb%20%C3%BC;p=1?q=%C3%BC&r=;"
    told = shown(serve, Ask("POST", uri, headers, Body(bytearray(b"body"))))
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b ü;p=1".encode().decode("latin-1"),
        "QUERY_STRING": "q=%C3%BC&r=;",
        "SERVER_NAME": "service.test",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "4",
        "HTTP_HOST": "service.test",
        "HTTP_X_SEVERAL": "1, 2",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_LATIN": "\xfc",
        "HTTP_X_EMPTY": "",
        "wsgi.url_scheme": "https",
        "wsgi.run_once": False,
        "read": "body",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert not [name for name in told if "SPOOFED" in name]


@pytest.mark.parametrize(("scheme", "port"), [("http", "80"), ("https", "443")])
def test_port_of_the_scheme(serve: Serve, scheme: str, port: str) -> None:
    assert shown(serve, Ask(uri=f"{scheme}://service.test/"))["SERVER_PORT"] == port


def test_long_requests(serve: Serve) -> None:
    """What Fastly lets through, though the adapter of its SDK does not."""
    long = "x" * 8000
    ask = Ask("BASELINE-CONTROL", f"http://service.test/?{long}", {"x-long": long.encode() * 12})
    told = shown(serve, ask)
    assert (told["REQUEST_METHOD"], told["QUERY_STRING"]) == ("BASELINE-CONTROL", long)
    assert told["HTTP_X_LONG"] == long * 12


def test_many_fields(serve: Serve) -> None:
    names = [f"x-{number:03}-{'y' * 4000}" for number in range(100)]
    told = shown(serve, Ask(headers=dict.fromkeys(names, b"1")))
    assert len([name for name in told if name.startswith("HTTP_X_")]) == len(names)


@pytest.mark.parametrize(
    ("application", "text"),
    [
        (f"def app(environ, start_response):\n    {GOOD}\n    yield b'a'\n    yield b'b'", b"ab"),
        (f"def app(environ, start_response):\n    {GOOD}(b'a')\n    return [b'b']", b"ab"),
        (f"def app(environ, start_response):\n    {GOOD}\n    return []", b""),
        (f"def app(environ, start_response):\n    {GOOD}\n    yield b''\n    yield b'a'", b"a"),
        ("def app(environ, start_response):\n    start_response('200', [])\n    return [b'a']", b"a"),
    ],
)
def test_application(serve: Serve, application: str, text: bytes) -> None:
    (response,) = serve(application, Ask())
    assert (response.status, response.text) == (200, text)


def test_large_response_in_parts(serve: Serve, fastly: Fastly) -> None:
    fastly.write_most = 1000
    application = f"def app(environ, start_response):\n    {GOOD}\n    return [bytes(range(256)) * 40]"
    (response,) = serve(application, Ask())
    assert response.text == bytes(range(256)) * 40


def test_header_fields(serve: Serve) -> None:
    fields = "[('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('x-latin', '\\xfc')]"
    body = f"start_response('201 Made', {fields})\n    return []"
    (response,) = serve(f"def app(environ, start_response):\n    {body}", Ask())
    assert response.status == 201
    assert response.headers == {"set-cookie": b"a=1\0b=2", "x-latin": b"\xfc"}


def test_error_after_a_part(serve: Serve) -> None:
    """Nothing was sent yet, so the error takes the place of the response."""
    failed = "start_response('503 Later', [('x-b', '2')], sys.exc_info())"
    application = (
        "import sys\ndef app(environ, start_response):\n"
        "    start_response('200 OK', [('x-a', '1')])\n    yield b'half'\n"
        f"    try: 1 / 0\n    except ZeroDivisionError: {failed}\n    yield b'later'"
    )
    (response,) = serve(application, Ask())
    assert (response.status, response.headers, response.text) == (503, {"x-b": b"2"}, b"later")


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('secret')",
        "raise SystemExit(1)",
        "raise KeyboardInterrupt",
        "return [b'']",  # without start_response
        f"{GOOD}\n    return None",
        f"{GOOD}\n    return ['text']",
        f"{GOOD}\n    yield b'half'\n    raise RuntimeError('secret')",
        f"{GOOD}\n    {GOOD}\n    return []",
        "start_response('fine', [])\n    return []",
        "start_response('200 OK', [('x', 'a\\nb')])\n    return []",
        "start_response('200 OK', [('x', '\\u20ac')])\n    return []",
        "start_response('200 OK', [('x', 1)])\n    return []",
        "start_response('200 OK', None)\n    return []",
    ],
)
def test_application_that_fails(serve: Serve, body: str) -> None:
    (*responses,) = serve(f"def app(environ, start_response):\n    {body}", Ask(), Ask())
    assert [(one.status, one.text) for one in responses] == [(500, b"Internal Server Error")] * 2


CLOSING = f"""
import sys
from wit_world.imports import log

class Chunks:
    def __iter__(self):
        return iter([b'a', b'b'])

    def close(self):
        with log.Endpoint.open('closed') as endpoint:
            endpoint.write(b'x')
        {{}}

def app(environ, start_response):
    {GOOD}
    {{}}
    return Chunks()
"""


@pytest.mark.parametrize("closing", ["pass", "raise RuntimeError", "raise SystemExit"])
def test_close(serve: Serve, fastly: Fastly, closing: str) -> None:
    """It is called after the response, which it can neither hold up nor spoil."""
    responses = serve(CLOSING.format(closing, "pass"), Ask(), Ask())
    assert [(one.status, one.text) for one in responses] == [(200, b"ab")] * 2
    assert fastly.account[1:] == ["response", "log"] * 2


def test_close_after_a_failure(serve: Serve, fastly: Fastly) -> None:
    (response,) = serve(CLOSING.format("pass", "start_response('fine', [], (None, None, None))"), Ask())
    assert response.status == 500
    assert fastly.account[1:] == ["response", "log"]
