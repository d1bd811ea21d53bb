"""How closely new music follows the request: a few statistics of it and of the prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from musenet.export.hearing import Hearing
from tokenizer.instruments import DRUMS
from tokenizer.instruments import name as instrument_name
from tokenizer.theory import SCALES
from tokenizer.typing import Floats, Mask, Notes


@dataclass(frozen=True)
class Figures:
    """Statistics of a passage; shares are 0 to 1, pitch and velocity are means.

    Attributes:
        notes_per_bar: its density.
        pitch: mean of its pitched notes, in semitones (60 is C4).
        velocity: mean loudness.
        in_key: share of pitched notes in the key's scale (natural notes of the signature, and the
            raised sixth and seventh of minor).
    """

    notes_per_bar: float
    pitch: float
    velocity: float
    in_key: float


@dataclass(frozen=True)
class Adherence:
    """The new music compared with the prompt and with the request.

    Attributes:
        new: statistics of the new music.
        prompt: those of the prompt, or None without one.
        in_instruments: share of the new notes in the requested instruments, None if any will do.
        unwanted: other instruments and their numbers of notes, the most first.
        silent: requested instruments without a new note.
        silent_tracks: names and programs of the prompt's parts without a new note.
    """

    new: Figures
    prompt: Figures | None
    in_instruments: float | None
    unwanted: tuple[tuple[int, int], ...]
    silent: tuple[int, ...]
    silent_tracks: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        named = {program for _, program in self.silent_tracks}
        words = [f"{name} silent" for name, _ in self.silent_tracks]
        words += [f"{instrument_name(p)} silent" for p in self.silent if p not in named]
        if self.in_instruments is not None:
            words.append(f"{self.in_instruments:.0%} of the notes in the requested instruments")
        words += [f"{instrument_name(p)} not requested (notes: {n})" for p, n in self.unwanted[:3]]
        pitched = self.new.pitch > 0  # drums alone have no pitch and no key
        known = self.prompt is not None and self.prompt.pitch > 0
        names = ("notes per bar", "mean pitch", "mean velocity")
        for name, field in zip(names, ("notes_per_bar", "pitch", "velocity"), strict=True):
            if field == "pitch" and not pitched:
                continue
            told = self.prompt is not None and (field != "pitch" or known)
            before = f" (prompt {getattr(self.prompt, field):.0f})" if told else ""
            words.append(f"{name} {getattr(self.new, field):.0f}{before}")
        if pitched:
            before = f" (prompt {self.prompt.in_key:.0%})" if self.prompt and known else ""
            words.append(f"{self.new.in_key:.0%} in the key{before}")
        return ", ".join(words)


def adherence(
    new: Notes,
    bars: float,
    prompt: Notes,
    prompt_bars: float,
    wanted: Iterable[int],
    key: tuple[int, bool] | None,
    hearing: Hearing | None = None,
) -> Adherence:
    """Compare new notes (`tokenizer.score.score.NOTES`) with those of the prompt.

    Args:
        new: the new notes.
        bars: how many bars they fill.
        prompt: the prompt's notes, possibly none.
        prompt_bars: how many bars those fill.
        wanted: programs that were requested or are in the prompt; empty if any will do.
        key: (fifths, minor), or None without a key (every note then counts as in it).
        hearing: the parts of the prompt's file; `new` has its tracks.
    """
    wanted = tuple(wanted)
    inside, unwanted, silent = in_instruments(new, wanted)
    return Adherence(
        new=_figures(new, bars, key),
        prompt=_figures(prompt, prompt_bars, key) if len(prompt) else None,
        in_instruments=inside,
        unwanted=unwanted,
        silent=silent,
        silent_tracks=_silent_parts(new, hearing or Hearing(), wanted),
    )


def _silent_parts(
    new: Notes, hearing: Hearing, wanted: Sequence[int]
) -> tuple[tuple[str, int], ...]:
    """The name and the program of each part that is to play, and has no new note."""
    playing = set(new[["track", "program"]].tolist())
    return tuple(
        (label, part.program)
        for label, part in zip(hearing.labels, hearing.parts, strict=True)
        if part.program in wanted and (part.track, part.program) not in playing
    )


def in_instruments(
    notes: Notes, wanted: Iterable[int]
) -> tuple[float | None, tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Which notes are in the requested instruments.

    Args:
        notes: `tokenizer.score.score.NOTES`.
        wanted: programs; empty if any will do.

    Returns:
        The share of the notes in them (None if any will do); other programs and their numbers of
        notes, the most first; requested programs without a note.
    """
    wanted = tuple(dict.fromkeys(wanted))
    if not wanted:
        return None, (), ()
    counts = np.bincount(notes["program"], minlength=DRUMS + 1)
    others = counts.copy()
    others[list(wanted)] = 0
    order = np.argsort(-others, kind="stable").tolist()
    unwanted = tuple((p, int(others[p])) for p in order if others[p])
    silent = tuple(p for p in wanted if not counts[p])
    return 1 - float(others.sum()) / max(1, len(notes)), unwanted, silent


def _figures(notes: Notes, bars: float, key: tuple[int, bool] | None) -> Figures:
    melodic = notes[notes["program"] != DRUMS]
    classes = _pitch_classes(melodic)
    scale = np.ones(12, dtype=bool) if key is None else _scale(*key)
    return Figures(
        notes_per_bar=len(notes) / max(bars, 1e-9),
        pitch=float(melodic["pitch"].mean()) if len(melodic) else 0.0,
        velocity=float(notes["velocity"].mean()) if len(notes) else 0.0,
        in_key=float(classes[scale].sum()) if len(melodic) else 1.0,
    )


def _pitch_classes(notes: Notes) -> Floats:
    """The share of each pitch class among pitched notes."""
    melodic = notes["pitch"][notes["program"] != DRUMS].astype(np.int64)
    counts = np.bincount(melodic % 12, minlength=12)
    share: Floats = counts / max(1, counts.sum())
    return share


def _scale(fifths: int, minor: bool) -> Mask:
    """The pitch classes of a key: its signature's, and in minor the raised sixth and seventh."""
    tonic = 7 * fifths % 12
    inside = np.zeros(12, dtype=bool)
    inside[(np.array(SCALES["major"]) + tonic) % 12] = True
    if minor:
        inside[(tonic + np.array([6, 8])) % 12] = True
    return inside
