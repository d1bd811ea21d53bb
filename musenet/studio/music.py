"""Nodes and their music as JSON, for the page: columns of numbers, in the ticks of the file."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import numpy as np

from musenet.generation.prompt import boundary_of
from musenet.tree.tree import CONTINUATION, Node
from tokenizer.chords.chord import CHORDS
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars
from tokenizer.score.chords import file_chords, score_chords
from tokenizer.score.columns import DEFAULT_TEMPO
from tokenizer.score.score import Score

from .editing import track_numbers

_TABLE = ("start", "duration", "pitch", "velocity", "track")
KEPT_SCORES = 32
"""Nodes whose music is kept as JSON: half a megabyte for 20,000 notes."""
_scores: dict[tuple[Any, ...], bytes] = {}
_scores_lock = threading.Lock()
_counted: dict[str, tuple[int, int, float]] = {}
"""Bars, notes and seconds of files, by their digests."""


def node_facts(node: Node) -> dict[str, Any]:
    """A node without its music."""
    bars, notes, seconds = _lengths(node)
    return {
        "id": node.number,
        "parent": node.parent,
        "kind": kind_of(node),
        "title": node.title,
        "name": node.name,
        "mark": node.marked,
        "note": node.note,
        "bars": bars,
        "notes": notes,
        "seconds": seconds,
        "growth": None if node.growth is None else msgspec.to_builtins(node.growth),
    }


def kind_of(node: Node) -> str:
    """What a node is: prompt, continuation, fill, accompaniment or edit."""
    if node.growth is not None:
        return node.growth.task
    return "prompt" if node.parent is None else "edit"


def score_json(node: Node) -> bytes:
    """The music of a node as JSON; made once, as chords take long to estimate."""
    growth = node.growth
    key = node.digest, growth and (growth.task, growth.boundary, growth.holes)
    found = _scores.pop(key, None) or msgspec.json.encode(score_facts(node))
    with _scores_lock:
        _scores[key] = found  # the latest stands last
        while len(_scores) > KEPT_SCORES:
            del _scores[next(iter(_scores))]
    return found


def score_facts(node: Node) -> dict[str, Any]:
    """The music of a node."""
    score, growth = score_of(node), node.growth
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    end = _end(score, node.data)
    tempos, meters = score.tempos.tolist(), score.time_signatures.tolist()
    return {
        "ticks_per_quarter": score.ticks_per_quarter,
        "boundary": growth.boundary if growth and growth.task == CONTINUATION else None,
        "holes": growth.holes if growth else (),
        "end": end,
        "tracks": [
            {"number": number, "name": t.name, "program": t.program, "drums": t.is_drum}
            for number, t in zip(track_numbers(node), score.tracks, strict=True)
        ],
        "notes": {name: score.notes[name].tolist() for name in _TABLE},
        "tempos": tempos if tempos and not tempos[0][0] else [(0, DEFAULT_TEMPO), *tempos],
        "bars": bars.lines(0, max(end, score.end)).tolist(),
        "meters": meters if meters and not meters[0][0] else [(0, 4, 4), *meters],
        "chords": _chords(score),
        "markers": [(int(row["time"]), str(row["text"])) for row in score.markers],
    }


def score_of(node: Node) -> Score:
    """The music of a node; a node without a prompt has none."""
    return read(node.data) if node.data else Score()


def _chords(score: Score) -> list[tuple[int, str]]:
    """Ticks and symbols of the chords, as the file names them or else estimated."""
    if not len(score.notes):
        return []
    named = file_chords(score)
    ticks, numbers = score_chords(score) if named is None else named
    symbols = [CHORDS[number].symbol for number in numbers.tolist()]
    return list(zip(ticks.tolist(), symbols, strict=True))


def _end(score: Score, data: bytes) -> int:
    """The tick at which the music would be continued."""
    if not len(score.notes):
        return 0
    try:
        file_end = events.parse(data).end
    except events.UnsupportedMidi:
        file_end = score.end
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    return boundary_of(score, bars, file_end)


def _lengths(node: Node) -> tuple[int, int, float]:
    """How many bars, notes and seconds a node has; counted once for each file."""
    if node.digest not in _counted:
        _counted[node.digest] = _count(node.data)
    return _counted[node.digest]


def _count(data: bytes) -> tuple[int, int, float]:
    if not data:
        return 0, 0, 0.0
    score = read(data)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    end = _end(score, data)
    seconds = float(score.seconds(np.array([max(end, score.end)]))[0])
    return bars.number(end - 1) + 1 if end else 0, len(score.notes), round(seconds, 3)
