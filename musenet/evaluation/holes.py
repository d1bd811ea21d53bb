"""What a model makes of the music around a hole: bits per note written in it.

The same holes of held-out pieces are scored four times: from the past alone, with chords, with what
stands around them (other instruments and what comes after), and with both. The survival term of
given rows is part of the bits (`tokenizer.encoding.holes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from data_prep.dataset.tasks import Arranged, Music, Tasks, arranged
from musenet.model.likelihood import BITS
from musenet.model.transformer import Transformer
from tokenizer.encoding.compound import Events
from tokenizer.encoding.holes import (
    Hole,
    control_rows,
    header_mask,
    no_events,
    predicted,
    with_header,
)
from tokenizer.encoding.structure import TIME, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.typing import Steps, Tokens

from .bootstrap import bootstrap
from .likelihood import Piece, WindowArrays, batch_nats, batch_of
from .listening import meter_of

VARIANTS = ("past alone", "chords", "what stands around", "both")
TASKS = {"holes": "fill", "parts": "accompany"}
"""Holes of some bars, and parts under what is given throughout."""

_FEWEST_ROWS = 64
_BATCH = 8


def hole_costs(
    model: Transformer,
    tokenizer: Tokenizer,
    pieces: Sequence[Piece],
    *,
    count: int,
    rows: int,
    seed: int = 0,
) -> dict[str, dict[str, Any]] | None:
    """Bits per note in holes, by kind of hole and by what is known, each with a 95 % interval.

    Args:
        model: the model.
        tokenizer: of the model.
        pieces: held-out pieces.
        count: passages for each kind.
        rows: that a model reads at a time, at most its context.
        seed: of the passages and the holes.

    Returns:
        For each of `TASKS` the bits of each of `VARIANTS`; None if the vocabulary has no holes.
    """
    if tokenizer.vocabulary.mark < 0:
        return None
    found: dict[str, dict[str, Any]] = {}
    for kind, task in TASKS.items():
        scored = [
            windows
            for number, (piece, span) in enumerate(_passages(pieces, task, count, rows, seed))
            if (windows := _windows(piece, span, task, number, rows, tokenizer.vocabulary))
        ]
        found[kind] = {"passages": len(scored)}
        for variant in VARIANTS:
            alike = [one[variant] for one in scored]
            found[kind][variant] = _bits(model, alike) if alike else None
    return found


def _windows(
    piece: Piece, span: tuple[int, int], task: str, seed: int, rows: int, vocabulary: Vocabulary
) -> dict[str, WindowArrays]:
    """A passage as each of `VARIANTS`; empty where one does not fit, or nothing is written."""
    windows = {
        variant: _window(piece, span, task, variant, seed, vocabulary) for variant in VARIANTS
    }
    fits = all(len(tokens) <= rows for tokens, _, _ in windows.values())
    _, _, counted = windows[VARIANTS[0]]
    return windows if fits and counted.any() else {}


def _passages(
    pieces: Sequence[Piece], task: str, count: int, rows: int, seed: int
) -> Iterator[tuple[Piece, tuple[int, int]]]:
    """Pieces, each with the rows of its body between which a passage lies."""
    random = np.random.default_rng([seed, len(task)])
    able = [piece for piece in pieces if len(piece.body) >= _FEWEST_ROWS]
    for place in random.permutation(len(able))[:count].tolist():
        piece = able[place]
        length = rows // 3  # what is told and given takes rows besides
        start = int(random.integers(max(1, len(piece.body) - length)))
        yield piece, (start, start + length)


def _nothing_told(hole: Hole, written: Events, time: int, vocabulary: Vocabulary) -> _Rows:
    """A hole of which nothing is told but the instruments, and the chords if these are given."""
    none = no_events()
    chords = replace(hole.given, times=none.times, notes=none.notes)
    return with_header(replace(hole, given=chords, after=none), written, time, vocabulary)


_Rows = tuple[Tokens, Steps]


def _window(
    piece: Piece,
    span: tuple[int, int],
    task: str,
    variant: str,
    seed: int,
    vocabulary: Vocabulary,
) -> WindowArrays:
    """Tokens, structure and counted fields of one passage."""
    around = variant in ("what stands around", "both")
    tasks = Tasks(after=(2,), untold=0.0, place=with_header if around else _nothing_told)
    opening = piece.prefix[vocabulary.bar_steps[piece.prefix[:, WAIT]] > 0]
    start, stop = span
    lead = piece.body[:start]
    meter = meter_of(piece, vocabulary)
    passage = arranged(
        Music(piece.body[start:stop], lead, meter),
        tasks,
        task,
        variant in ("chords", "both"),
        vocabulary,
        np.random.default_rng(seed),
    )
    return _as_window(passage, lead, opening, meter, vocabulary)


def _as_window(
    passage: Arranged,
    lead: Tokens,
    opening: Tokens,
    meter: tuple[int, int],
    vocabulary: Vocabulary,
) -> WindowArrays:
    """A passage after `lead`, behind the meter that opens the piece."""
    start = control_rows([vocabulary.start] if not len(lead) else [])
    prefix = np.concatenate([start, opening])
    tokens, roles = passage.tokens, passage.roles
    columns = structure(
        np.concatenate([lead, tokens]), vocabulary, start=len(lead), meter=meter, roles=roles
    )
    before = np.zeros((len(prefix), columns.shape[1]), dtype=np.int32)
    before[:, TIME] = columns[0, TIME] - vocabulary.steps[tokens[0, WAIT]]
    counts = passage.in_hole & ~header_mask(tokens, vocabulary)
    counted = predicted(tokens, roles, counts, vocabulary)
    return (
        np.concatenate([prefix, tokens]),
        np.concatenate([before, columns]),
        np.concatenate([np.zeros((len(prefix), 5), dtype=bool), counted]),
    )


def _bits(model: Transformer, windows: Sequence[WindowArrays]) -> dict[str, Any]:
    """Bits per note with an interval, from windows of all lengths."""
    bits, notes = np.zeros(len(windows)), np.zeros(len(windows), dtype=np.int64)
    for first in range(0, len(windows), _BATCH):
        group = windows[first : first + _BATCH]
        batch = batch_of(group)
        bits[first : first + len(group)] = batch_nats(model, batch).sum(axis=(1, 2)) * BITS
        notes[first : first + len(group)] = [counted[:, 1].sum() for _, _, counted in group]
    mean = float(bits.sum() / max(int(notes.sum()), 1))
    return {"bits_per_note": mean, "interval": list(bootstrap(bits, notes))}


def holes_table(figures: dict[str, dict[str, Any]]) -> list[str]:
    """What `hole_costs` found, as lines of text."""
    lines = [
        "bits per note of what is written in holes and under given parts, by what is known",
        f"{'':6}{'passages':>9}" + "".join(f"{variant:>20}" for variant in VARIANTS),
    ]
    for kind, row in figures.items():
        bits = (
            f"{row[variant]['bits_per_note']:.3f}" if row[variant] else "–" for variant in VARIANTS
        )
        lines.append(f"{kind:6}{row['passages']:9d}" + "".join(f"{text:>20}" for text in bits))
    return lines
