"""The page: its files as they are, each found by name in the page's own folder."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from .about import FOLDER

START = "index.html"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".sf3": "audio/x-soundfont",
    ".txt": "text/plain; charset=utf-8",
}
"""The types of the page's files, here and not from the system, whose tables differ."""


def page_routes() -> list[Route]:
    """The page and its modules."""
    return [Route("/", _start), Route("/page/{name:path}", _file)]


def _start(_: Request) -> Response:
    return _sent(START)


def _file(request: Request) -> Response:
    return _sent(request.path_params["name"])


def _sent(name: str) -> Response:
    # The folder is listed and the name looked up, so no path of a client is ever opened.
    files = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*")}
    path = files.get(name)
    if path is None or not path.is_file():
        raise HTTPException(404, "the page has no such file")
    kind = _TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})
