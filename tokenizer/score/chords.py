"""Chords of a score: estimated from its notes, or as its texts name them, and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np

from tokenizer.chords.beats import Beats, Meter, beats_of
from tokenizer.chords.chart import ChartChord, charted
from tokenizer.chords.estimate import estimate_chords
from tokenizer.chords.symbols import is_chord, parse_chord
from tokenizer.instruments import DRUMS
from tokenizer.typing import Ints, Notes, Ticks

from .bars import Bars
from .score import Score

_BRACKETS = " \t\r\n/\\[]{}()"  # around a chord in a text, and a karaoke file's line breaks


def score_beats(score: Score) -> Beats:
    """The beats of a score, in ticks, by its time signatures; to the end of its last note."""
    meters = [Meter(0, 4, 4)]
    for time, numerator, denominator in score.time_signatures.tolist():
        if time == 0:
            meters.clear()
        if time == 0 or time < score.end:
            meters.append(Meter(time, numerator, denominator))
    return beats_of(meters, score.end, 4 * score.ticks_per_quarter)


def score_chords(score: Score) -> tuple[Ticks, Ints]:
    """The chords of a score, estimated from all notes but drums.

    Returns:
        Ticks, ascending from 0, and numbers in `CHORDS` of the chords that begin there, each unlike
        the one before.
    """
    beats = score_beats(score)
    notes = score.notes[score.notes["program"] != DRUMS]
    starts = notes["start"].astype(np.int64)
    ends = starts + notes["duration"]
    changes, chords = estimate_chords(starts, ends, notes["pitch"], beats)
    return beats.lines[changes], chords


def file_chords(score: Score) -> tuple[Ticks, Ints] | None:
    """The chords that the texts of a score name, as `score_chords` gives them; None without any.

    Texts are those of its markers, or of the lyrics of one track, whichever name more chords; most
    must be chord symbols, alone or in brackets, and not rehearsal letters (A, B, C …).
    """
    tracks = np.unique(score.lyrics["track"])
    kinds = [score.markers, *(score.lyrics[score.lyrics["track"] == n] for n in tracks)]
    found = max((_chord_texts(texts) for texts in kinds), key=len)
    if not found:
        return None
    by_tick = {tick: parse_chord(text).number for tick, text in found}
    ticks, chords = np.array(list(by_tick)), np.array(list(by_tick.values()))
    changes = np.append(True, chords[1:] != chords[:-1])
    return ticks[changes], chords[changes]


def score_chart(score: Score, ticks: Ticks, chords: Ints) -> list[ChartChord]:
    """The chart of a score's chords, each moved to the beat nearest to its tick."""
    beats = score_beats(score)
    middles = (beats.lines[:-1] + beats.lines[1:]) / 2
    nearest = np.minimum(np.searchsorted(middles, ticks), len(beats.accents) - 1)
    return charted(nearest, chords, beats)


def chart_ticks(chart: Sequence[ChartChord], bars: Bars) -> tuple[Ticks, Ints]:
    """The tick and the number in `CHORDS` of each chord of a chart, in a score with such bars."""
    ticks = []
    for bar, place, _ in chart:
        begin, end = bars.tick(bar), bars.tick(bar + 1)
        ticks.append(begin + int((end - begin) * place))
    return np.array(ticks, np.int64), np.array([chord.number for _, _, chord in chart], np.int64)


def _chord_texts(texts: Notes) -> list[tuple[int, str]]:
    """Ticks and chord symbols of texts of which most are such; nothing of others."""
    stripped = [(time, text.strip(_BRACKETS)) for time, _, text in texts.tolist()]
    said = [(time, text) for time, text in stripped if text]
    found = [(time, text) for time, text in said if is_chord(text)]
    names = list(dict.fromkeys(text for _, text in found))
    if len(found) <= len(said) / 2 or names == list(ascii_uppercase[: len(names)]):
        return []
    return found
