"""The server as a web application: the page, and below `/api/v1` what programs use too."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tokenizer.errors import InputError

from .about import info
from .actions import Actions
from .answers import answer, refused
from .download_routes import DownloadRoutes
from .guard import Guard
from .job_routes import JobRoutes, NodeJobRoutes
from .jobs import Jobs
from .models import Weights
from .openapi import openapi
from .page_routes import page_routes
from .take_routes import TakeRoutes
from .tree_routes import TreeRoutes
from .workspace import Workspace

API = "/api/v1"


def make_app(
    workspace: Workspace | None,
    weights: Weights,
    jobs: Jobs,
    token: str,
    port: int,
    *,
    page: bool = True,
) -> Starlette:
    """The application.

    Args:
        workspace: the tree and its file; None serves the requests that need no tree.
        weights: what music is made with.
        jobs: the queue of what is made.
        token: the secret that every request needs.
        port: that the server listens on.
        page: whether there is a page, or the interface alone.
    """

    def about(_: Request) -> Response:
        return answer(info(weights))

    def described(_: Request) -> Response:
        return answer(openapi(API, tree=workspace is not None))

    def warm(_: Request) -> Response:
        weights.wanted.set()
        return answer({})

    actions = Actions(weights)
    routes = [
        Route("/openapi.json", described),
        Route("/info", about),
        Route("/warm", warm, methods=["POST"]),
        *TakeRoutes(jobs, actions).routes,
        *JobRoutes(jobs).routes,
    ]
    if workspace is not None:
        routes += TreeRoutes(workspace).routes
        routes += NodeJobRoutes(workspace, jobs, actions).routes
        routes += DownloadRoutes(workspace).routes
    errors = (HTTPException, InputError, Exception)
    return Starlette(
        routes=[Mount(API, routes=routes), *(page_routes() if page else ())],
        middleware=[Middleware(Guard, token=token, port=port)],
        exception_handlers=dict.fromkeys(errors, refused),
    )
