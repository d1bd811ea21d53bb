"""Copy gain: whether a model listens to its prompt, as bits per note of a repeated figure.

A figure of so many bars of a held-out piece is played again and again, as it is or disguised (other
instruments and loudness). A model that looks back pays almost nothing from the third time on:

    copy gain = bits per note the first time − mean bits per note from the third time on

The length of the figure is the distance at which the model must look back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.dataset.disguise import Disguise, apply_disguise, draw_disguise
from musenet.model.likelihood import BITS
from musenet.model.transformer import Transformer
from tokenizer.encoding.compound import Events, encode_events, row_times
from tokenizer.encoding.structure import bar_positions, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.typing import Floats, Steps, Tokens

from .bootstrap import bootstrap
from .likelihood import Piece, batch_nats, batch_of

BARS = (1, 2, 4, 8, 16)
MOST_ROUNDS, FEWEST_ROUNDS = 8, 3
MOST_ROWS = 1024
"""Rows that a repeated figure takes at most, whatever the context."""

_FEWEST_NOTES = 8
_MOST_NOTES_PER_BAR = 30
_ATTEMPTS = 4


@dataclass(frozen=True)
class RepeatedFigure:
    """A figure that is played several times.

    Attributes:
        meter: the time signature, such as `(4, 4)`.
        body: rows `(T, 5)` of all rounds.
        rounds: how many times it is played.
    """

    meter: tuple[int, int]
    body: Tokens
    rounds: int


def repeated_figures(
    pieces: Sequence[Piece],
    tokenizer: Tokenizer,
    bars: int,
    *,
    count: int,
    rows: int = MOST_ROWS,
    seed: int = 0,
) -> list[RepeatedFigure]:
    """Figures of so many bars, each played as often as the rows hold: 3 to 8 times.

    Args:
        pieces: the music to take figures from, at most one from each piece.
        tokenizer: of the pieces; on the `beat` clock.
        bars: length of the figures.
        count: figures at most.
        rows: tokens that a repeated figure may take, prefix included.
        seed: of the choice of pieces and bars.
    """
    random = np.random.default_rng(seed)
    found: list[RepeatedFigure] = []
    for index in random.permutation(len(pieces)).tolist():
        figure = _figure(pieces[index], tokenizer.vocabulary, bars, rows, random)
        if figure is not None:
            found.append(figure)
        if len(found) == count:
            break
    return found


def _figure(
    piece: Piece, vocabulary: Vocabulary, bars: int, rows: int, random: np.random.Generator
) -> RepeatedFigure | None:
    """A figure that begins at some bar line of a piece, or None if no attempt gives one."""
    meter = meter_of(piece, vocabulary)
    opening = vocabulary.control("time_signature:{}/{}".format(*meter))
    if not opening:
        return None
    length = bars * int(vocabulary.bar_steps[opening])
    body = piece.body
    times, note = row_times(body, vocabulary), vocabulary.is_note(body)
    _, position = bar_positions(body, times, vocabulary, meter=meter)
    lines = np.unique(times[note & (position == 0)])
    random.shuffle(lines)
    room = rows - 16
    for begin in lines[:_ATTEMPTS].tolist():
        inside = note & (times >= begin) & (times < begin + length)
        notes = int(inside.sum())
        most = min(max(4, bars) * _MOST_NOTES_PER_BAR, room // FEWEST_ROUNDS)
        if _FEWEST_NOTES <= notes <= most and times[-1] >= begin + length:
            rounds = min(MOST_ROUNDS, room // notes)
            figure = body[inside], times[inside] - begin, length
            played = _repeated(*figure, rounds, vocabulary)
            while len(played) > rows - 2 and rounds > FEWEST_ROUNDS:  # rests take rows too
                rounds -= 1
                played = _repeated(*figure, rounds, vocabulary)
            if len(played) <= rows - 2:
                return RepeatedFigure(meter, played, rounds)
    return None


def _repeated(
    notes: Tokens, offsets: Steps, length: int, rounds: int, vocabulary: Vocabulary
) -> Tokens:
    """Rows of notes that are played again and again."""
    times = (np.arange(rounds)[:, None] * length + offsets).reshape(-1)
    none = np.empty(0, np.int64)
    return encode_events(Events(times, np.tile(notes, (rounds, 1)), none, none), vocabulary)


def meter_of(piece: Piece, vocabulary: Vocabulary) -> tuple[int, int]:
    """The time signature in a piece's prefix, 4/4 if there is none."""
    for value in piece.prefix[:, 0].tolist():
        kind, _, meter = vocabulary.name(value).partition(":")
        if kind == "time_signature":
            numerator, _, denominator = meter.partition("/")
            return int(numerator), int(denominator)
    return 4, 4


def disguised(
    figures: Sequence[RepeatedFigure], tokenizer: Tokenizer, seed: int = 1
) -> list[RepeatedFigure]:
    """The same figures with other instruments, loudness and drum keys, the same in all rounds."""
    random = np.random.default_rng(seed)
    found = []
    for figure in figures:
        body = figure.body.copy()
        tables = draw_disguise(Disguise(rate=1.0), body, random)
        apply_disguise(body, tables, tokenizer.vocabulary)
        found.append(RepeatedFigure(figure.meter, body, figure.rounds))
    return found


def bits_by_round(
    model: Transformer, tokenizer: Tokenizer, figures: Sequence[RepeatedFigure], *, batch: int = 4
) -> Floats:
    """Bits per note of each figure and round, `(figures, MOST_ROUNDS)`; NaN where not played."""
    vocabulary = tokenizer.vocabulary
    bits = np.full((len(figures), MOST_ROUNDS), np.nan)
    for first in range(0, len(figures), batch):
        group = figures[first : first + batch]
        windows = []
        for figure in group:
            meter = vocabulary.control("time_signature:{}/{}".format(*figure.meter)) or 0
            prefix = np.zeros((2, figure.body.shape[1]), dtype=np.int16)
            prefix[:, 0] = vocabulary.start, meter
            tokens = np.concatenate([prefix, figure.body])
            windows.append((tokens, structure(tokens, vocabulary), vocabulary.counted(tokens)))
        nats = batch_nats(model, batch_of(windows)).sum(axis=-1)
        for index, (figure, cost) in enumerate(zip(group, nats, strict=True), first):
            note = figure.body[:, INSTRUMENT] > 0
            notes = int(note.sum()) // figure.rounds
            # A rest counts with the note that it leads to.
            played = (np.cumsum(note) - note) // notes
            cost = cost[1 : 1 + len(note)] * BITS / notes
            bits[index, : figure.rounds] = np.bincount(played, cost, figure.rounds)
    return bits


def copy_gain(bits: Floats) -> dict[str, Any]:
    """Copy gain as plain data, with 95 % intervals over figures; `bits` as `bits_by_round` gives.

    `by_round` is the mean over the figures that are played so often, None where none is.
    """
    first, later = bits[:, 0], np.nanmean(bits[:, FEWEST_ROUNDS - 1 :], axis=1)
    rounds = (~np.isnan(bits)).sum(axis=1)
    means = [
        float(np.nanmean(bits[rounds > n, n])) if (rounds > n).any() else None
        for n in range(bits.shape[1])
    ]
    return {
        "figures": len(bits),
        "rounds": [int(rounds.min()), int(rounds.max())],
        "by_round": means,
        "first": float(first.mean()),
        "first_interval": list(bootstrap(first)),
        "later": float(later.mean()),
        "later_interval": list(bootstrap(later)),
        "gain": float((first - later).mean()),
        "gain_interval": list(bootstrap(first - later)),
    }


def copy_gains(
    model: Transformer,
    tokenizer: Tokenizer,
    pieces: Sequence[Piece],
    *,
    bars: Sequence[int] = BARS,
    count: int = 60,
    rows: int = MOST_ROWS,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Copy gain at each distance, as it is and disguised, as plain data.

    Distances at which no figure fits into the rows are left out.
    """
    found = []
    for distance in bars:
        plain = repeated_figures(pieces, tokenizer, distance, count=count, rows=rows, seed=seed)
        if not plain:
            continue
        kinds = {"as it is": plain, "disguised": disguised(plain, tokenizer, seed + 1)}
        for kind, figures in kinds.items():
            figures_bits = bits_by_round(model, tokenizer, figures)
            found.append({"bars": distance, "music": kind, **copy_gain(figures_bits)})
    return found


def copy_gain_table(gains: Sequence[dict[str, Any]]) -> list[str]:
    """Copy gains as lines of text: a column a round, then first, later and gain."""
    lines = [
        f"{'bars':>4} {'':9} {'figures':>7} {'rounds':>6}"
        + "".join(f"{n + 1:6d}" for n in range(MOST_ROUNDS))
        + f"{'first':>7} {'later':>6}  copy gain (95 %)"
    ]
    for row in gains:
        fewest, most = row["rounds"]
        rounds = f"{most}" if fewest == most else f"{fewest}–{most}"
        means = "".join(f"{_two(bits):>6}" for bits in row["by_round"])
        low, high = row["gain_interval"]
        lines.append(
            f"{row['bars']:4d} {row['music']:9} {row['figures']:7d} {rounds:>6}{means}"
            f"{row['first']:7.2f} {row['later']:6.2f}  {row['gain']:.2f} ({low:.2f}–{high:.2f})"
        )
    return lines


SHOWN_LAGS = (1, 2, 3, 4, 8, 16, 32)
"""Distances at which tables show the similarity of bars."""


def listening_table(figures: dict[str, Any]) -> list[str]:
    """What `musenet evaluate --listening` found, as lines of text."""
    lines = ["copy gain: bits per note of a figure, each time that it is played"]
    lines += copy_gain_table(figures["copy_gain"])
    if found := figures["continuations"]:
        lines += [
            "",
            f"similarity of bars t apart, of which the later one is new ({found['pieces']} pieces, "
            f"{found['bars']} bars after {found['prompt_bars']})",
            f"{'t':14}" + "".join(f"{t:6d}" for t in SHOWN_LAGS),
        ]
        for name, key in (("continuations", "similarity"), ("real music", "real_similarity")):
            values = (found[key][t - 1] for t in SHOWN_LAGS)
            lines.append(f"{name:14}" + "".join(f"{_two(value):>6}" for value in values))
        lines.append(f"similarity error {found['similarity_error']:.3f} (mean over t of 1 to 40)")
    return lines


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
