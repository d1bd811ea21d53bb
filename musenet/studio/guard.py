"""Who may talk to the server: this machine's own page and programs that know the token.

Every request passes here before anything else looks at it. A page of another site can reach a
server on this machine too, so its name (`Host`), where the request comes from (`Origin`) and the
token are checked; a name that some resolver points at 127.0.0.1 is none of ours.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenizer.errors import InputError

from .answers import refusal

SHORTEST_TOKEN = 16
"""Characters of a token that a user chose."""

OPEN_PATHS = "/page/"
"""What lies below is the page's own code, the same for everybody: no token is needed."""

HEADERS = {
    "Content-Security-Policy": (
        # WebAssembly is for the bank of sounds, which is packed as Vorbis; it can eval no script.
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every answer: nothing is loaded from elsewhere, nobody else may embed or read it."""


class Guard:
    """Refuses what does not come from this machine with the token.

    Args:
        app: what answers the others.
        token: the secret in the address that the program prints.
        port: that the server listens on.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        if port == 80:  # which browsers leave out
            self._hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        reason = self._refuses(scope)
        if reason is None:
            await self._app(scope, receive, send_with_headers)
        else:
            await refusal(*reason)(scope, receive, send_with_headers)

    def _refuses(self, scope: Scope) -> tuple[int, str] | None:
        """The status and the sentence of a refusal, or None."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 403, "this server answers to 127.0.0.1 and localhost with its port only"
        origins = headers.getlist("origin")
        if origins not in ([], [f"http://{hosts[0]}"]):
            return 403, "this server answers its own page only"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "this server answers its own page only"
        if not scope["path"].startswith(OPEN_PATHS) and not self._knows(headers, scope):
            return (
                401,
                "the token is missing or wrong; it is in the address that `musenet studio` prints, "
                "or as `musenet serve` says",
            )
        return None

    def _knows(self, headers: Headers, scope: Scope) -> bool:
        given = QueryParams(scope["query_string"]).getlist("token")
        given += _bearers(headers.getlist("authorization"))
        return any(hmac.compare_digest(each.encode(), self._token) for each in given)


def new_token() -> str:
    """A secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def checked_token(text: str, said: str) -> str:
    """A token that a user chose.

    Args:
        text: the token.
        said: where it comes from.

    Raises:
        InputError: if it is short, or holds what a header cannot carry.
    """
    if not re.fullmatch(rf"[A-Za-z0-9._~-]{{{SHORTEST_TOKEN},}}", text):
        raise InputError(
            f"{said} holds no token: {SHORTEST_TOKEN} or more letters, digits, dots and dashes"
        )
    return text


def token_in(path: Path) -> str:
    """The token in a file that only this user can read; where no file is, one with a new token.

    Raises:
        InputError: if others can read the file, or it holds no token.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_token() + "\n")
    with path.open(encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if os.name == "posix" and mode & 0o077:
            raise InputError(f"others can read {path}; type: chmod 600 {path}, or name another")
        return checked_token(file.read(1000).strip(), str(path))


def _bearers(values: Iterable[str]) -> list[str]:
    """The tokens in `Authorization` headers."""
    pairs = (value.split(" ", 1) for value in values)
    return [pair[1].strip() for pair in pairs if len(pair) == 2 and pair[0].lower() == "bearer"]
