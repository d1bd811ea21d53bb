"""Scoring with the critic: how likely it is that pieces were written by people.

The critic reads music as a MIDI file would contain it, and of the labels only the meter:

    tokens ─▶ one note of a pitch at a time ─▶ windows behind `start` and meter ─▶ log-odds per row

So real and generated pieces are treated alike, whatever labels they were generated with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from musenet.model.checkpoint import Checkpoint
from musenet.model.transformer import Transformer
from tokenizer.encoding.controls import first_meter
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.columns import disjoint_notes
from tokenizer.typing import Tokens

from .likelihood import Conditions, Piece, PieceWindows, WindowArrays, batch_of

WARM_UP = 16
"""Rows at the beginning of a piece that are not scored; at most half of the piece."""

_BATCH = 8


def log_odds(checkpoint: Checkpoint, pieces: Sequence[Tokens]) -> list[float]:
    """The critic's log-odds that each piece is real; meant for comparing pieces.

    Args:
        checkpoint: with a critic.
        pieces: tokens `(T, 5)` of each piece from its beginning, with or without prefix and end.

    Returns:
        For each piece the mean over its rows of the log-odds (natural logarithm) that the music
        up to that row is real.

    Raises:
        InputError: if the checkpoint has no critic or no tokenizer, or a piece has no music.
    """
    critic = checkpoint.model.critic
    if critic is None:
        raise InputError(
            f"{checkpoint.folder.name} has no critic; give it one with `musenet train-critic`"
        )
    bodies = [as_written(piece, checkpoint.tokenizer) for piece in pieces]
    for number, body in enumerate(bodies, 1):
        if not checkpoint.tokenizer.vocabulary.is_note(body).any():
            raise InputError(f"piece {number} of {len(bodies)} has no notes to score")
    sums, counts = np.zeros(len(bodies)), np.zeros(len(bodies), dtype=np.int64)
    with torch.no_grad():
        for index, first, states in row_states(checkpoint.model, checkpoint.tokenizer, bodies):
            begin = max(0, warm_up(bodies[index], checkpoint.tokenizer) - first)
            answers = critic(states[begin:]).double()
            sums[index] += float(answers.sum())
            counts[index] += len(answers)
    return (sums / counts).tolist()


def warm_up(tokens: Tokens, tokenizer: Tokenizer) -> int:
    """How many of the first body rows of tokens `(T, 5)` are not scored."""
    rows = len(tokens) - tokenizer.vocabulary.prefix_length(tokens)
    return min(WARM_UP, rows // 2)


def as_written(tokens: Tokens, tokenizer: Tokenizer) -> Tokens:
    """A piece as read back from a MIDI file, `(T, 5)`: the row of its meter and its body.

    A note ends where the next of its pitch and instrument starts, and of two simultaneous ones the
    longer is kept; labels and the end row are left out.
    """
    score = tokenizer.decode(tokens)
    notes = score.notes
    programs = np.unique(notes["program"])
    kept = [disjoint_notes(notes[notes["program"] == program], {})[0] for program in programs]
    if kept:
        together = np.concatenate(kept)
        score = replace(score, notes=together[np.argsort(together["start"], kind="stable")])
    meter = Labels(time_signature=first_meter(score))
    return np.concatenate([tokenizer.prefix(meter, start=False), tokenizer.body(score)])


def row_states(
    model: Transformer, tokenizer: Tokenizer, pieces: Sequence[Tokens]
) -> Iterator[tuple[int, int, Tensor]]:
    """The trunk's state after every body row of pieces `as_written`, window by window.

    Args:
        model: the model, which is not trained.
        tokenizer: of the model.
        pieces: from `as_written`.

    Yields:
        A piece's index, the number of a body row, and the states `(rows, width)` from it on.
    """
    device = next(model.parameters()).device
    jobs = sorted(_windows(model, tokenizer, pieces), key=lambda job: len(job[2][0]))
    for start in range(0, len(jobs), _BATCH):
        group = jobs[start : start + _BATCH]
        batch = batch_of([window for _, _, window in group]).to(device)
        with torch.no_grad():
            hidden = model.trunk(batch.tokens, batch.structure)
        for place, (index, first, (tokens, _, counted)) in enumerate(group):
            scored = torch.from_numpy(counted.any(axis=1)).to(device)
            yield index, first, hidden[place, : len(tokens)][scored]


def _windows(
    model: Transformer, tokenizer: Tokenizer, pieces: Sequence[Tokens]
) -> Iterator[tuple[int, int, WindowArrays]]:
    """Windows that score every body row once, with at least half a context before it."""
    vocabulary = tokenizer.vocabulary
    for index, tokens in enumerate(pieces):
        split = vocabulary.prefix_length(tokens)
        piece = Piece(str(index), "", tokens[:split], tokens[split:])
        windows = PieceWindows(piece, tokenizer, Conditions())
        # The state of a row exists once the row is read: one row less than can be predicted.
        for span in windows.spans(model.config.context - 1):
            yield index, span.first, windows.arrays(span)
