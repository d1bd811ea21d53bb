"""Jobs over HTTP: start one, follow it as Server-Sent Events, cancel it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .actions import Actions, TreeSource
from .answers import answer, json_of
from .jobs import FINISHED, Job, Jobs
from .tree_routes import node_of
from .workspace import Workspace

_HEARTBEAT_SECONDS = 15.0
_RETRY_MILLISECONDS = 500


class NodeJobRoutes:
    """The request that makes music from a node of the tree.

    Args:
        workspace: the tree and its file.
        jobs: the queue.
        actions: what jobs do.
    """

    def __init__(self, workspace: Workspace, jobs: Jobs, actions: Actions) -> None:
        self._workspace = workspace
        self._jobs = jobs
        self._actions = actions
        self.routes = [Route("/nodes/{id:int}/jobs", self._start, methods=["POST"])]

    async def _start(self, request: Request) -> Response:
        node = node_of(self._workspace.tree, request.path_params["id"])
        source = TreeSource(self._workspace, node.number)
        job = self._actions.asked(source, await json_of(request))
        place = self._jobs.submit(job)
        return answer({"job": job.id, "place": place}, 202)


class JobRoutes:
    """The requests about jobs that wait, run or have ended.

    Args:
        jobs: the queue.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.routes = [
            Route("/jobs", self._list),
            Route("/jobs/{job}", self._cancel, methods=["DELETE"]),
            Route("/jobs/{job}/events", self._events),
        ]

    async def _list(self, _: Request) -> Response:
        return answer([_facts(job, place) for job, place in self._jobs.all()])

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request)
        self._jobs.cancel(job)
        return answer(_facts(job, None))

    async def _events(self, request: Request) -> Response:
        job = self._job(request)
        last = request.headers.get("last-event-id", "0")
        after = int(last) if last.isdecimal() else 0
        if job.state in FINISHED and not self._jobs.read(job, after).events:
            return Response(status_code=204)  # tells a browser not to connect again
        return streamed(events_of(self._jobs, job, after))

    def _job(self, request: Request) -> Job:
        job = self._jobs.find(request.path_params["job"])
        if job is None:
            raise HTTPException(404, "there is no such job, or it ended long ago")
        return job


def _facts(job: Job, place: int | None) -> dict[str, Any]:
    return {
        "job": job.id,
        "node": job.node,
        "action": job.action,
        "state": job.state,
        "place": place,
        "share": round(job.share, 4),
    }


@contextlib.contextmanager
def listening(job: Job) -> Iterator[asyncio.Event]:
    """A flag that is set when something happens to a job."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the server has stopped meanwhile
            loop.call_soon_threadsafe(news.set)

    job.listeners.add(wake)
    try:
        yield news
    finally:
        job.listeners.discard(wake)


async def events_of(jobs: Jobs, job: Job, after: int = 0) -> AsyncIterator[str]:
    """The events of a job after the one of a number, as they happen; ends with its last one."""
    with listening(job) as news:
        yield f"retry: {_RETRY_MILLISECONDS}\n\n"
        place: int | None = None
        share = 0.0
        while True:
            news.clear()
            found = jobs.read(job, after)
            parts = [f"id: {e.number}\n{event_text(e.name, e.data)}" for e in found.events]
            if found.share != share:
                parts.insert(0, event_text("progress", {"share": round(found.share, 4)}))
            if found.place not in (None, place):
                parts.insert(0, event_text("queued", {"place": found.place}))
            place, share = found.place, found.share
            after = found.events[-1].number if found.events else after
            if parts:
                yield "".join(parts)
            if found.finished:
                return
            try:
                await asyncio.wait_for(news.wait(), _HEARTBEAT_SECONDS)
            except asyncio.TimeoutError:
                yield ":\n\n"


def streamed(events: AsyncIterator[str]) -> Response:
    """Events as an answer."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def event_text(name: str, data: Any) -> str:
    """An event as text; data that is text is JSON already."""
    text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
    return f"event: {name}\ndata: {text}\n\n"
