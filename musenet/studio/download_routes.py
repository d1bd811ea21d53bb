"""Files to take away: a node as MIDI, as MusicXML, as stems, as a picture and as audio."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from musenet.export import audio
from musenet.export.merge import stems
from musenet.export.music_files import named_chords
from musenet.export.parts import channels_with_notes
from musenet.generation.outputs import stem_name
from musenet.tree.picture import picture
from musenet.tree.tree import Node
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import read, to_bytes
from tokenizer.notation.write import to_musicxml

from .tree_routes import node_of
from .workspace import Workspace


class DownloadRoutes:
    """The requests for files.

    Args:
        workspace: the tree and its file.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.routes = [
            Route("/nodes/{id:int}/file.mid", self._midi),
            Route("/nodes/{id:int}/score.musicxml", self._musicxml),
            Route("/nodes/{id:int}/stems.zip", self._stems),
            Route("/nodes/{id:int}/stems/{track:int}.mid", self._stem),
            Route("/nodes/{id:int}/picture.png", self._picture),
            Route("/nodes/{id:int}/render.wav", self._audio),
        ]

    def _node(self, request: Request) -> Node:
        node = node_of(self._workspace.tree, request.path_params["id"])
        if not node.data:
            raise InputError(f"node {node} is empty; generate music from it and download that")
        return node

    def _midi(self, request: Request) -> Response:
        node = self._node(request)
        return _file(node.data, "audio/midi", node, ".mid")

    def _musicxml(self, request: Request) -> Response:
        node = self._node(request)
        score = read(node.data)
        data = to_musicxml(score, title=node.name or node.title, chords=named_chords(score))
        return _file(data, "application/vnd.recordare.musicxml+xml", node, ".musicxml")

    def _stems(self, request: Request) -> Response:
        node = self._node(request)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, (name, file) in enumerate(stems(_events(node)), 1):
                # A fixed date: the same music gives the same bytes.
                entry = zipfile.ZipInfo(stem_name(number, name))
                archive.writestr(entry, events.dump(file), zipfile.ZIP_DEFLATED)
        return _file(out.getvalue(), "application/zip", node, " stems.zip")

    def _stem(self, request: Request) -> Response:
        """The stem of a track by its number in the file, from 1."""
        node, number = self._node(request), request.path_params["track"]
        file = _events(node)
        with_notes = [n for n, track in enumerate(file.tracks, 1) if channels_with_notes(track)]
        if number not in with_notes:
            raise HTTPException(404, f"node {node} has no notes in track {number}")
        name, stem = stems(file)[with_notes.index(number)]
        return _file(events.dump(stem), "audio/midi", node, f" {name}.mid")

    def _picture(self, request: Request) -> Response:
        node = self._node(request)
        path = self._workspace.tree.path(node)
        return _file(picture(path, "png"), "image/png", node, ".png")

    def _audio(self, request: Request) -> Response:
        node = self._node(request)
        audio.check_installed("wav")
        with tempfile.NamedTemporaryFile(suffix=".wav", delete=False) as handle:
            target = Path(handle.name)
        try:
            audio.save(node.data, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        remove = BackgroundTask(target.unlink, missing_ok=True)
        headers = _named(node, ".wav")
        return FileResponse(target, headers=headers, media_type="audio/wav", background=remove)


def _events(node: Node) -> events.File:
    """The events of a node's file, or those of its music where the file has to be interpreted."""
    try:
        return events.parse(node.data)
    except events.UnsupportedMidi:
        return events.parse(to_bytes(read(node.data)))


def _file(data: bytes, kind: str, node: Node, ending: str) -> Response:
    return Response(data, media_type=kind, headers=_named(node, ending))


def _named(node: Node, ending: str) -> dict[str, str]:
    """The header with the name of a download: the piece, the node and its name (RFC 6266)."""
    parts = [node.title or "piece", str(node.number), node.name]
    name = " ".join(part for part in parts if part) + ending
    plain = "".join(c if (c.isalnum() and c.isascii()) or c in " -_." else "_" for c in name)
    kept = "".join(
        chr(b) if (chr(b).isalnum() and b < 128) or chr(b) in "-_." else f"%{b:02X}"
        for b in name.encode(errors="replace")
    )
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{kept}"
    return {"Content-Disposition": value, "Cache-Control": "no-store"}
