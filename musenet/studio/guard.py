"""Who may talk to the studio: this machine's own page and programs that know the token.

Every request passes here before anything else looks at it. A page of another site can reach a
server on this machine too, so its name (`Host`), where the request comes from (`Origin`) and the
token are checked; a name that some resolver points at 127.0.0.1 is none of ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import refusal

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
                "the token is missing or wrong; open the address that `musenet studio` prints",
            )
        return None

    def _knows(self, headers: Headers, scope: Scope) -> bool:
        given = QueryParams(scope["query_string"]).getlist("token")
        given += _bearers(headers.getlist("authorization"))
        return any(hmac.compare_digest(each.encode(), self._token) for each in given)


def _bearers(values: Iterable[str]) -> list[str]:
    """The tokens in `Authorization` headers."""
    pairs = (value.split(" ", 1) for value in values)
    return [pair[1].strip() for pair in pairs if len(pair) == 2 and pair[0].lower() == "bearer"]
