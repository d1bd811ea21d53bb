"""The feel of human drummers: how early, and how hard, each stroke is played where in the bar.

Read from performances in MIDI such as the Groove MIDI Dataset (Gillick et al. 2019, ICML; CC BY
4.0). A song whose drums take a feel is derived from the performance, and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from data_prep.bands.notation.pattern import TICKS, Meter
from data_prep.bands.notation.style import Style
from tokenizer import InputError, MidiError, read
from tokenizer.labels import normalise_styles

from .playing import Note

LICENCE = "CC-BY-4.0"
_SLOT = TICKS // 4
_FURTHEST = 45  # ticks off the sixteenth; what is further is another rhythm
_FEWEST = 60  # strokes that a feel is made of

_CLASSES = {
    **dict.fromkeys((35, 36), "kick"),
    **dict.fromkeys((37, 38, 39, 40), "snare"),
    **dict.fromkeys((22, 26, 42, 44, 46, 54, 69, 70, 82), "hat"),
    **dict.fromkeys((51, 53, 59, 56), "ride"),
    **dict.fromkeys((41, 43, 45, 47, 48, 50, 58), "tom"),
    **dict.fromkeys((49, 52, 55, 57), "crash"),
}

Stroke = tuple[int, int]
"""Ticks after the sixteenth (before it: negative), and velocity."""


@dataclass(frozen=True)
class Feel:
    """One performance.

    Attributes:
        source: the file.
        styles: labels of the performance.
        strokes: by part of the kit and sixteenth of the bar; sixteenth −1 holds them all.
    """

    source: str
    styles: tuple[str, ...]
    strokes: dict[tuple[str, int], tuple[Stroke, ...]]

    def suits(self, style: Style) -> bool:
        """Whether the performance is of the style's kind."""
        return bool(set(self.styles) & set(normalise_styles(style.genre)))

    def applied(self, notes: list[Note], meter: Meter, random: Random) -> list[Note]:
        """Strokes with the drummer's timing, and half of the drummer's dynamics.

        Args:
            notes: with the dynamics of the song, on the grid.
            meter: of the song.
            random: the drummer's.
        """
        found = []
        for note in notes:
            part = _CLASSES.get(note.pitch, "hat")
            slot = round(note.start % meter.bar / _SLOT) % 16
            options = self.strokes.get((part, slot)) or self.strokes.get((part, -1))
            if options is None:
                found.append(note)
                continue
            late, velocity = random.choice(options)
            start = max(0, note.start + late)
            found.append(note._replace(start=start, velocity=(note.velocity + velocity) // 2))
        return found


def read_feels(folder: Path) -> tuple[Feel, ...]:
    """The feels of a folder of performances with a manifest, in the order of the manifest.

    Raises:
        InputError: if there is no manifest, or no performance that can be used.
    """
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise InputError(f"{folder} has no manifest.jsonl; give a folder of drum performances")
    rows = map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    found = [feel for row in rows if (feel := _feel(folder, row)) is not None]
    if not found:
        raise InputError(f"{folder} has no drum performance in 4/4 of {_FEWEST} strokes or more")
    return tuple(found)


def _feel(folder: Path, row: dict[str, Any]) -> Feel | None:
    """What one file gives; None for fills, other meters, and what cannot be read."""
    if row.get("beat_type", "beat") != "beat":
        return None
    try:
        score = read(folder / row["file"]).resample(TICKS)
    except (MidiError, OSError):
        return None
    meters = score.time_signatures
    if len(meters) and {(int(m["numerator"]), int(m["denominator"])) for m in meters} != {(4, 4)}:
        return None
    strokes: dict[tuple[str, int], list[Stroke]] = {}
    notes = score.notes[score.notes["program"] == 128]
    slots = np.rint(notes["start"] / _SLOT).astype(np.int64)
    late = notes["start"] - slots * _SLOT
    for pitch, velocity, slot, ticks in zip(
        notes["pitch"].tolist(),
        notes["velocity"].tolist(),
        slots.tolist(),
        late.tolist(),
        strict=True,
    ):
        part = _CLASSES.get(pitch)
        if part and abs(ticks) <= _FURTHEST:
            strokes.setdefault((part, slot % 16), []).append((ticks, velocity))
            strokes.setdefault((part, -1), []).append((ticks, velocity))
    if sum(len(s) for (_, slot), s in strokes.items() if slot < 0) < _FEWEST:
        return None
    styles = normalise_styles(f"{row.get('genre', '')}; {row.get('style', '')}")
    kept = {place: tuple(strokes[place][:64]) for place in sorted(strokes)}
    return Feel(str(row["file"]), styles, kept)
