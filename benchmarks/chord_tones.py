"""Does music follow a chord chart? One table of held-out pieces, real music beside it.

    python benchmarks/chord_tones.py DATASET|FOLDER… --weights CHECKPOINT --pieces 20

Eight bars of each piece are a prompt; `--bars` follow. The chart is that of the bars that really
follow, estimated from their notes. `tones` is the share of pitched notes on strong beats (bar lines
and half bars) that are tones of the chord there, `chords` the share of beats on which the chord
estimated from the music is that of the chart. For

    real, own chords   the real bars: by what the chart was estimated from
    real, other chart  the real bars beside the chart of the next piece: what chance gives
    chart              a continuation with `--chords`
    chart unguided     the same with `--chord-guidance 1`
    kept               a continuation with `--keep-chords`, beside the chart of the real bars
    no chart           a continuation without, beside that chart
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.parts_kept import PROMPT_BARS, parser_of
from musenet.evaluation.bootstrap import bootstrap
from musenet.evaluation.generated import decoded
from musenet.evaluation.inputs import find_pieces
from musenet.generation.held_out import HeldOut, held_out
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer import Score
from tokenizer.chords.beats import OTHER_BEAT
from tokenizer.chords.chart import ChartChord, chart
from tokenizer.chords.chord import CHORDS
from tokenizer.instruments import DRUMS
from tokenizer.score.bars import Bars
from tokenizer.score.chords import chart_ticks, score_beats, score_chart, score_chords
from tokenizer.typing import Ints, Ticks

NEAR = 12  # a note is on a beat within a quarter note over so many
TONES = np.array([[pitch in chord.pitch_classes for pitch in range(12)] for chord in CHORDS])


class Heard(NamedTuple):
    """How music follows chords."""

    tones: float
    chords: float


def chart_after(score: Score, bar: int, bars: int) -> list[ChartChord]:
    """The chart of some bars of a score from one on, estimated from all of its notes."""
    rows = score_chart(score, *score_chords(score))
    return [row._replace(bar=row.bar - bar) for row in rows if bar <= row.bar < bar + bars]


def heard(score: Score, bar: int, bars: int, ticks: Ticks, numbers: Ints) -> Heard:
    """How some bars of a score from one on follow chords that begin at ticks."""
    lines = Bars(score.time_signatures, score.ticks_per_quarter)
    begin, end = lines.tick(bar), lines.tick(bar + bars)
    beats = score_beats(score)
    starts = beats.lines[:-1]
    inside = (starts >= begin) & (starts < end)
    strong = starts[inside & (beats.accents > OTHER_BEAT)]
    notes = score.notes[score.notes["program"] != DRUMS]
    note, beat = np.nonzero(
        np.abs(notes["start"].astype(np.int64)[:, None] - strong) * NEAR < score.ticks_per_quarter
    )
    sounding = _at(strong[beat], ticks, numbers)
    known = sounding > 0
    tones = TONES[sounding, notes["pitch"][note] % 12][known]
    estimated = _at(starts[inside], *score_chords(score))
    asked = _at(starts[inside], ticks, numbers)
    return Heard(
        float(tones.mean()) if len(tones) else float("nan"), float((estimated == asked).mean())
    )


def _at(times: Ticks, ticks: Ticks, numbers: Ints) -> Ints:
    """The chords that sound at some times; none before the first."""
    place = np.searchsorted(ticks, times, side="right") - 1
    return np.where(place < 0, 0, numbers[np.maximum(place, 0)])


def measured(
    pieces: Sequence[HeldOut], checkpoint: Checkpoint, bars: int
) -> dict[str, list[Heard]]:
    """The figures of all pieces by row of the table."""
    charts = [chart_after(piece.score, PROMPT_BARS, bars) for piece in pieces]
    found: dict[str, list[Heard]] = {}
    for number, piece in enumerate(pieces):
        own, other = (
            chart_ticks(
                [row._replace(bar=row.bar + PROMPT_BARS) for row in rows],
                Bars(piece.score.time_signatures, piece.score.ticks_per_quarter),
            )
            for rows in (charts[number], charts[(number + 1) % len(charts)])
        )
        plain = GenerateOptions(seed=number)
        made = {
            "chart": replace(plain, chords=chart(charts[number])),
            "chart unguided": replace(plain, chords=chart(charts[number]), chord_guidance=1.0),
            "kept": replace(plain, keep_chords=True),
            "no chart": plain,
        }
        told = {
            "real, own chords": (piece.score, own),
            "real, other chart": (piece.score, other),
            **{name: (piece.continued(checkpoint, options), own) for name, options in made.items()},
        }
        for name, (score, chords) in told.items():
            figures = heard(score, PROMPT_BARS, bars, *chords)
            found.setdefault(name, []).append(figures)
    return found


def line(name: str, figures: Sequence[Heard]) -> str:
    """A row of the table: means over pieces, with intervals."""
    cells = ""
    for column in zip(*figures, strict=True):
        values = np.array(column)
        values = values[~np.isnan(values)]
        low, high = bootstrap(values)
        cells += f"  {values.mean():.2f} ({low:.2f}–{high:.2f})"
    return f"{name:18}{len(figures):4}{cells}"


def main() -> None:
    """Print the table."""
    asked = parser_of(__doc__).parse_args()
    checkpoint = load_checkpoint(asked.weights)
    pieces = find_pieces(asked.paths, checkpoint.tokenizer, asked.split).pieces
    chosen = held_out(
        decoded(pieces, checkpoint.tokenizer),
        asked.pieces,
        prompt_bars=PROMPT_BARS,
        bars=asked.bars,
        suits=lambda score: bool(score_chords(score)[1].any()),
    )
    print(f"{'':18}{'n':>4}  {'tones (95 %)':18}{'chords (95 %)'}")
    for name, figures in measured(chosen, checkpoint, asked.bars).items():
        print(line(name, figures), flush=True)


if __name__ == "__main__":
    main()
