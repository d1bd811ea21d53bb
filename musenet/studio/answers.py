"""Answers as JSON, and bodies of requests read no further than they may be long."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tokenizer.errors import InputError

JSON = "application/json"
LARGEST_JSON = 4 * 2**20
"""Bytes of JSON that a request may have: an edit of some 40,000 notes."""


def answer(data: Any, status: int = 200, **headers: str) -> Response:
    """Data as JSON."""
    return sent(msgspec.json.encode(data), status, **headers)


def sent(encoded: bytes, status: int = 200, **headers: str) -> Response:
    """An answer that is JSON already."""
    return Response(encoded, status, headers, media_type=JSON)


def refusal(status: int, sentence: str) -> Response:
    """An error: its status and one sentence."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return answer({"error": sentence}, status, **headers)


async def refused(_: Request, error: Exception) -> Response:
    """The answer to an error that a request met."""
    if isinstance(error, HTTPException):
        return refusal(error.status_code, error.detail)
    if isinstance(error, InputError):
        return refusal(400, str(error))
    return refusal(500, "the server met an error of its own; its terminal says which")


async def body_of(request: Request, most: int) -> bytes:
    """The body of a request, which is refused as soon as it is longer than `most` bytes.

    Raises:
        HTTPException: if it is longer.
    """
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > most:
            raise HTTPException(413, f"this is too large; {most // 2**20} MB is the most")
    return bytes(read)


async def json_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body of a request.

    Raises:
        HTTPException: if it is too long.
        InputError: if it is no JSON object.
    """
    return json_object(await body_of(request, LARGEST_JSON))


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        InputError: if it is none.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body of the request is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise InputError("the body of the request is not a JSON object")
    return data
