"""Music there and back in one request: a file comes with options, the takes go, no tree is kept.

    POST continue, fill or accompany ─▶ job ─▶ JSON, a MIDI file or events, as `Accept` says

Who closes the connection stops the job.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from musenet.options.knob import from_texts
from musenet.tree.tree import Node
from tokenizer.errors import InputError, unknown

from .actions import ACTIONS, Actions
from .answers import JSON, answer, body_of, json_object
from .job_routes import event_text, events_of, listening, streamed
from .jobs import FAILED, FINISHED, Job, Jobs
from .tree_routes import LARGEST_UPLOAD, name_in, sent_node

MIDI = "audio/midi"
_EVENTS, _FORM = "text/event-stream", "multipart/form-data"
_ENTRIES = ("midi", "name", "options")


class SentMusic:
    """Music that came with a request; the takes go back with its answer.

    Args:
        music: a node of no tree.
    """

    makes = "takes"
    number: int | None = None

    def __init__(self, music: Node) -> None:
        self._music = music

    def node(self) -> Node:
        """The music."""
        return self._music

    def keep(self, grown: list[Node]) -> list[Any]:
        """The takes as JSON."""
        return [_take(node) for node in grown]


class TakeRoutes:
    """The requests that bring music and wait for takes.

    Args:
        jobs: the queue.
        actions: what jobs do.
    """

    def __init__(self, jobs: Jobs, actions: Actions) -> None:
        self._jobs = jobs
        self._actions = actions
        self.routes = [Route(f"/{action}", self._make, methods=["POST"]) for action in ACTIONS]

    async def _make(self, request: Request) -> Response:
        action = request.url.path.rpartition("/")[2]
        node, options = await _sent(request, action)
        job = await run_in_threadpool(self._actions.job, SentMusic(node), action, options)
        accepted = request.headers.get("accept", "")
        if MIDI in accepted and job.takes > 1:
            raise HTTPException(
                406, f"a MIDI file holds one take and {job.takes} are asked for; accept {JSON}"
            )
        place = self._jobs.submit(job)
        if _EVENTS in accepted:
            return streamed(self._events(job, place))
        try:
            await _ended(request, job)
            return _answered(job, whole=MIDI not in accepted)
        finally:
            self._jobs.forget(job)

    async def _events(self, job: Job, place: int) -> AsyncIterator[str]:
        """The number of the job, by which it can be stopped, and its events."""
        try:
            yield event_text("job", {"job": job.id, "place": place})
            async for text in events_of(self._jobs, job):
                yield text
        finally:
            self._jobs.forget(job)


async def _ended(request: Request, job: Job) -> None:
    """Wait until a job has ended, or nobody waits for it."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    async def finished() -> None:
        with listening(job) as news:
            while job.state not in FINISHED:
                await news.wait()
                news.clear()

    tasks = [asyncio.ensure_future(gone()), asyncio.ensure_future(finished())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _answered(job: Job, *, whole: bool) -> Response:
    """The answer to a job that has ended: all takes with what is known of them, or one's file."""
    if job.state not in FINISHED:
        return Response(status_code=499)  # nobody reads it
    data = json_object(job.log[-1].data.encode())
    if job.state == FAILED:
        raise InputError(data["error"])
    takes = data["takes"]
    if whole:
        return answer({"state": job.state, "takes": takes})
    if not takes:
        raise HTTPException(409, "the job was cancelled before there was music")
    return Response(base64.b64decode(takes[0]["midi"]), media_type=MIDI)


def _take(node: Node) -> dict[str, Any]:
    """A take: its MIDI file in base64, and what is new in it."""
    growth = node.growth
    if growth is None:
        raise AssertionError("a take is grown")
    return {
        "variation": growth.options.variations[0],
        "seed": growth.options.seed,
        "notes": growth.notes,
        "bars": growth.bars,
        "boundary": growth.boundary,
        "holes": growth.holes,
        "stopped": growth.stopped,
        "weights": growth.weights,
        "midi": base64.b64encode(node.data).decode(),
    }


async def _sent(request: Request, action: str) -> tuple[Node, dict[str, Any]]:
    """The music and the options that a request brings, in one of three ways.

    JSON with the file in base64; a form with the file and a field for each option; or the file
    itself, with the options in the query.

    Raises:
        HTTPException: if it is too long.
        InputError: if it is damaged.
    """
    body = await body_of(request, LARGEST_UPLOAD)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        data = json_object(body)
        for name in data:
            if name not in _ENTRIES:
                raise unknown("entry of the request", name, _ENTRIES)
        options = data.get("options", {})
        file, name = _decoded(data.get("midi", "")), str(data.get("name", ""))
    elif kind == _FORM:
        file, name, fields = await _form(request, body)
        options = from_texts(ACTIONS[action], fields)
    else:
        fields = [each for each in request.query_params.multi_items() if each[0] != "token"]
        file, name, options = body, name_in(request), from_texts(ACTIONS[action], fields)
    return await run_in_threadpool(sent_node, file, name), options


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise InputError('"midi" is not a file in base64') from None


async def _form(request: Request, body: bytes) -> tuple[bytes, str, list[tuple[str, str]]]:
    """The file of a form, its name, and the other fields.

    Raises:
        HTTPException: if the form is damaged.
    """

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    file, name, fields = b"", "", []
    async with Request(request.scope, receive).form(max_files=1, max_fields=200) as form:
        for field, value in form.multi_items():
            if isinstance(value, UploadFile):
                file, name = await value.read(), value.filename or ""
            else:
                fields.append((field, value))
    return file, name, fields
