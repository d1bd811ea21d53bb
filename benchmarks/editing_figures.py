"""What `benchmarks/editing.py` measures: likeness of bars, what stayed of a file, parts in a band.

Files are read with mido, which shares no code with this program.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenizer import Score
from tokenizer.chords.beats import OTHER_BEAT
from tokenizer.chords.chord import CHORDS
from tokenizer.instruments import DRUMS
from tokenizer.score.bars import Bars
from tokenizer.score.chords import score_beats
from tokenizer.typing import Floats, Ints, Notes, Ticks

SLOTS = 24  # of a bar, in which onsets are compared
BASSES = range(32, 40)
_MADE = b"\xff\x7f"  # the recipe is an event of this kind

TONES = np.array([[pitch in chord.pitch_classes for pitch in range(12)] for chord in CHORDS])
ROOTS = np.array([-1 if chord.root is None else chord.root for chord in CHORDS])


class Similar(NamedTuple):
    """How some bars resemble the bars around them: means over all pairs of bars with notes."""

    chroma: float
    groove: float


def similar(notes: Notes, lines: Ticks, hole: slice) -> Similar:
    """The likeness of the bars of a hole with those around it.

    Args:
        notes: of a score.
        lines: its bar lines, one more than there are bars.
        hole: the bars of the hole; all others are around it.
    """
    chroma, groove = _chroma(notes, lines), _groove(notes, lines)
    inside = np.zeros(len(lines) - 1, dtype=bool)
    inside[hole] = True

    def pairs(vectors: Floats) -> tuple[Floats, Floats]:
        full = vectors.any(axis=1)
        return vectors[inside & full], vectors[~inside & full]

    one, other = pairs(chroma)
    norms = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)
    cosine = (one @ other.T / norms) if norms.size else np.array([np.nan])
    one, other = pairs(groove)
    same = 1 - np.abs(one[:, None] - other).mean(axis=-1) if len(one) else np.array([])
    return Similar(float(cosine.mean()), float(same.mean()) if same.size else float("nan"))


def _chroma(notes: Notes, lines: Ticks) -> Floats:
    """How long each pitch class is played in each bar, `(bars, 12)`."""
    pitched = notes[notes["program"] != DRUMS]
    bar = np.searchsorted(lines, pitched["start"], side="right") - 1
    inside = (bar >= 0) & (bar < len(lines) - 1)
    found = np.zeros((len(lines) - 1, 12))
    lengths = np.minimum(pitched["duration"], np.diff(lines).max()).astype(np.float64)
    np.add.at(found, (bar[inside], pitched["pitch"][inside] % 12), lengths[inside])
    return found


def _groove(notes: Notes, lines: Ticks) -> Floats:
    """In which slots of each bar a note starts, `(bars, SLOTS)`."""
    bar = np.searchsorted(lines, notes["start"], side="right") - 1
    inside = (bar >= 0) & (bar < len(lines) - 1)
    bar, start = bar[inside], notes["start"][inside].astype(np.int64)
    place = np.rint((start - lines[bar]) * SLOTS / np.diff(lines)[bar]).astype(np.int64)
    found = np.zeros((len(lines) - 1, SLOTS))
    found[bar, np.minimum(place, SLOTS - 1)] = 1
    return found


class Band(NamedTuple):
    """What a bass and drums play under chords.

    Attributes:
        on_beat: share of the strong beats on which the bass plays.
        tones: share of its lowest notes there that are chord tones.
        roots: share of them that are roots.
        bass: its notes in a bar.
        keys: different drum keys in a bar.
        hits: notes of the drums in a bar.
    """

    on_beat: float
    tones: float
    roots: float
    bass: float
    keys: float
    hits: float


def band(score: Score, notes: Notes, ticks: Ticks, numbers: Ints) -> Band:
    """The figures of notes in a score under chords that begin at ticks."""
    lines = Bars(score.time_signatures, score.ticks_per_quarter).lines(0, score.end)
    beats = score_beats(score)
    strong = beats.lines[:-1][beats.accents > OTHER_BEAT]
    bass = notes[np.isin(notes["program"], BASSES)]
    bass = bass[np.lexsort((bass["pitch"], bass["start"]))]
    lowest = np.append(True, np.diff(bass["start"].astype(np.int64)) > 0)[: len(bass)]
    near = np.abs(bass[lowest]["start"].astype(np.int64)[:, None] - strong) * 12
    note, beat = np.nonzero(near < score.ticks_per_quarter)
    place = np.searchsorted(ticks, strong[beat], side="right") - 1
    sounding = np.where(place < 0, 0, numbers[np.maximum(place, 0)])
    classes = bass[lowest]["pitch"][note][sounding > 0] % 12
    sounding = sounding[sounding > 0]
    drums = notes[notes["program"] == DRUMS]
    bars = np.searchsorted(lines, drums["start"], side="right")
    keys = {(bar, key) for bar, key in zip(bars.tolist(), drums["pitch"].tolist(), strict=True)}
    return Band(
        len(set(beat.tolist())) / max(1, len(strong)),
        float(TONES[sounding, classes].mean()) if len(classes) else float("nan"),
        float((ROOTS[sounding] == classes).mean()) if len(classes) else float("nan"),
        len(bass) / len(lines),
        len(keys) / len(lines),
        len(drums) / len(lines),
    )


_Message = tuple[int, bytes]


def outside_changed(old: bytes, new: bytes, hole: tuple[int, int], parts: set[int]) -> list[str]:
    """What differs between two files outside of a hole, in words; nothing if all stayed.

    Left out are the notes that begin in the hole on the channels that are written, and the recipe.

    Args:
        old: the user's file.
        new: what was made of it.
        hole: its first tick and the first after it.
        parts: the channels that are written.
    """
    before, after = _tracks(old), _tracks(new)
    if len(after) < len(before):
        return [f"{len(before)} tracks became {len(after)}"]
    found = []
    for number, track in enumerate(before):
        kept = _without_notes(track, hole, parts)
        now = _without_notes(after[number], hole, parts)
        now = [one for one in now if not (one[1].startswith(_MADE) and one not in kept)]
        if kept != now:
            lost, more = Counter(kept) - Counter(now), Counter(now) - Counter(kept)
            found.append(
                f"track {number + 1}: {sum(lost.values())} lost, {sum(more.values())} more"
                if lost or more
                else f"track {number + 1}: another order"
            )
    return found


def _tracks(data: bytes) -> list[list[_Message]]:
    """Absolute ticks and bytes of each track's messages, without the ends of tracks."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            if message.type != "end_of_track":
                own.append((now, bytes(message.bytes())))
        found.append(own)
    return found


def _without_notes(
    track: Sequence[_Message], hole: tuple[int, int], parts: set[int]
) -> list[_Message]:
    """A track without the notes that begin in a hole on some channels, from note-on to note-off."""
    kept: list[_Message] = []
    sounding: dict[tuple[int, int], list[bool]] = {}  # is each note taken out? the first ends first
    for tick, data in track:
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if kind in (0x80, 0x90) and channel in parts:
            notes = sounding.setdefault((channel, data[1]), [])
            if kind == 0x90 and data[2] > 0:
                notes.append(hole[0] <= tick < hole[1])
                if notes[-1]:
                    continue
            elif notes and notes.pop(0):
                continue
        kept.append((tick, data))
    return kept
