"""The interface in the OpenAPI format, for scripts and for programs that make clients of it."""

from __future__ import annotations

import re
from typing import Any

from musenet import __version__

_TAKES = (
    "It comes as JSON (midi in base64, name, options), as a form, or as the file itself with the "
    "options in the query; the takes go as Accept says."
)
_NOTE = "start, duration, pitch, velocity, track"
_MIDI, _JSON = "audio/midi", "application/json"
_MUSICXML = "application/vnd.recordare.musicxml+xml"

OPERATIONS: tuple[tuple[str, str, str, str, str], ...] = (
    ("get", "/openapi.json", "This description.", "", _JSON),
    ("get", "/info", "The weights, what they know and can do, and all options.", "", _JSON),
    ("post", "/warm", "Load the weights now and not with the first job.", "", _JSON),
    (
        *("post", "/continue"),
        f"Continue the music that comes with the request. {_TAKES}",
        *(_MIDI, _JSON),
    ),
    ("post", "/fill", f"Write some bars of it anew. {_TAKES}", _MIDI, _JSON),
    ("post", "/accompany", f"Write parts under it. {_TAKES}", _MIDI, _JSON),
    ("get", "/tree", "The nodes of the tree, without their music.", "", _JSON),
    ("post", "/prompts", "A new prompt: a MIDI file, or JSON with opening or blank.", _MIDI, _JSON),
    ("patch", "/nodes/{id}", "Change name, mark and note of a node.", _JSON, _JSON),
    ("delete", "/nodes/{id}", "Prune a node and all that was grown from it.", "", _JSON),
    ("get", "/nodes/{id}/score", "The music of a node as columns of numbers.", "", _JSON),
    (
        *("post", "/nodes/{id}/edit"),
        f"A new node with notes added, removed (by index) or changed; a note has {_NOTE}.",
        *(_JSON, _JSON),
    ),
    ("post", "/undo", "Undo the last change of the tree; music that was made stays.", "", _JSON),
    ("post", "/redo", "Do again what was undone last.", "", _JSON),
    ("post", "/nodes/{id}/jobs", "Ask for music: an action and its options.", _JSON, _JSON),
    ("get", "/jobs", "The jobs that wait or run.", "", _JSON),
    ("delete", "/jobs/{job}", "Stop a job at its next note.", "", _JSON),
    (
        *("get", "/jobs/{job}/events"),
        "The events of a job as they happen: queued, progress, note, then done, cancelled or "
        "failed. Last-Event-ID goes on after an event.",
        *("", "text/event-stream"),
    ),
    ("get", "/nodes/{id}/file.mid", "The MIDI file of a node.", "", _MIDI),
    ("get", "/nodes/{id}/score.musicxml", "A node as a score for players.", "", _MUSICXML),
    ("get", "/nodes/{id}/stems.zip", "A MIDI file for each track.", "", "application/zip"),
    ("get", "/nodes/{id}/stems/{track}.mid", "One of them, by its track's number.", "", _MIDI),
    ("get", "/nodes/{id}/picture.png", "The piano roll of a node.", "", "image/png"),
    ("get", "/nodes/{id}/render.wav", "A node as audio, by FluidSynth.", "", "audio/wav"),
)
"""Method, path, what it does, the type of the request's body and that of the answer."""

_MAKES_TAKES = ("/continue", "/fill", "/accompany")
_BODIES: dict[str, tuple[str, ...]] = {
    "/prompts": (_MIDI, _JSON),
    **dict.fromkeys(_MAKES_TAKES, (_MIDI, _JSON, "multipart/form-data")),
}
_ANSWERS = dict.fromkeys(_MAKES_TAKES, (_JSON, _MIDI, "text/event-stream"))
_OF_THE_TREE = ("/tree", "/prompts", "/nodes", "/undo", "/redo")
_STATUS = {"/prompts": "201", "/nodes/{id}/edit": "201", "/nodes/{id}/jobs": "202"}


def openapi(base: str, *, tree: bool = True) -> dict[str, Any]:
    """The description.

    Args:
        base: the path that all others lie below.
        tree: whether the server has a tree.
    """
    paths: dict[str, dict[str, Any]] = {}
    for method, path, summary, taken, given in OPERATIONS:
        if not tree and path.startswith(_OF_THE_TREE):
            continue
        paths.setdefault(path, {})[method] = _operation(method, path, summary, taken, given)
    return {
        "openapi": "3.1.0",
        "info": {"title": "MuseNet", "version": __version__},
        "servers": [{"url": base}],
        "security": [{"header": []}, {"query": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "header": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "token"},
            }
        },
    }


def _operation(method: str, path: str, summary: str, taken: str, given: str) -> dict[str, Any]:
    kinds = {name: {"type": "integer"} for name in ("id", "track")} | {"job": {"type": "string"}}
    status = _STATUS.get(path, "200") if method == "post" else "200"
    contents: dict[str, Any] = {kind: {} for kind in _ANSWERS.get(path, (given,))}
    found: dict[str, Any] = {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": kinds[name]}
            for name in re.findall(r"\{(\w+)\}", path)
        ],
        "responses": {
            status: {"description": "What was asked for.", "content": contents},
            "4XX": {
                "description": "One sentence that says what is wrong.",
                "content": {
                    _JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {"error": {"type": "string"}},
                            "required": ["error"],
                        }
                    }
                },
            },
        },
    }
    if taken:
        content: dict[str, Any] = {kind: {} for kind in _BODIES.get(path, (taken,))}
        found["requestBody"] = {"required": True, "content": content}
    return found
