"""The bits of each note and field of one piece: what a model expected, and what surprised it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from musenet.model.embeddings import check_tokens
from musenet.model.likelihood import BITS
from musenet.model.transformer import Transformer
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.structure import length_of, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import FIELDS, INSTRUMENT, PITCH, VELOCITIES, VELOCITY, WAIT
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.score import Score
from tokenizer.typing import Floats, Ints, Mask, Tokens

from .likelihood import Conditions, Piece, PieceWindows, batch_nats, batch_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, repr=False)
class NoteBits:
    """The bits that a model needs for each note of a piece.

    Attributes:
        table: an Arrow table (`table.to_pandas()`), one row per note in the order of the tokens:
            `tick`, `second`, `program`, `pitch` and `velocity` as the tokens have them, `bits`,
            and `wait_bits`, … `velocity_bits`, which add up to it. What passes before a note
            (rests, changes of meter) is counted in its wait.
        end: bits of what follows the last note: that the piece ends there.
    """

    table: pa.Table
    end: float

    @property
    def bits_per_note(self) -> float:
        """All bits over all notes, the figure of `musenet evaluate`."""
        return (sum(self.per_field.values()) * len(self.table) + self.end) / len(self.table)

    @property
    def per_field(self) -> dict[str, float]:
        """Mean bits of each field of a note."""
        return {name: float(np.mean(self.table[f"{name}_bits"].to_numpy())) for name in FIELDS}

    def __repr__(self) -> str:
        fields = ", ".join(f"{name} {bits:.2f}" for name, bits in self.per_field.items())
        return (
            f"<NoteBits: {len(self.table):,} notes, {self.bits_per_note:.3f} bits each ({fields})>"
        )


def note_bits(
    model: Transformer,
    tokenizer: Tokenizer,
    score: Score,
    labels: Labels,
    conditions: Conditions,
) -> NoteBits:
    """Score every note of a piece once, as `musenet.evaluation.likelihood` reads pieces.

    Raises:
        InputError: if the piece has no notes.
    """
    if len(score.notes) == 0:
        raise InputError("the piece has no notes to score")
    body = np.concatenate([tokenizer.body(score), tokenizer.end()])
    piece = Piece("", "", tokenizer.prefix(labels), body)
    bits = BITS * _row_nats(model, PieceWindows(piece, tokenizer, conditions), body)
    note = tokenizer.vocabulary.is_note(body)
    last = int(np.flatnonzero(note)[-1])
    # The bits of the rows between two notes belong to the later one.
    owner: Ints = np.cumsum(note) - note
    between = np.bincount(owner[~note], bits[~note].sum(axis=1), minlength=int(note.sum()) + 1)
    fields = bits[note]
    fields[:, WAIT] += between[:-1]
    return NoteBits(_table(score, tokenizer, body, note, fields), float(bits[last + 1 :].sum()))


def _row_nats(model: Transformer, windows: PieceWindows, body: Tokens) -> Floats:
    """Nats of every row and field of a body, `(T, 5)`."""
    nats = np.zeros(body.shape)
    for span in windows.spans(model.context_rows):
        arrays = windows.arrays(span)
        # Row r of the window is predicted in place r − 1.
        found = batch_nats(model, batch_of([arrays]))[0]
        nats[span.first : span.stop] = found[len(found) - (span.stop - span.first) :]
    return nats


def _table(
    score: Score, tokenizer: Tokenizer, body: Tokens, note: Mask, fields: Floats
) -> pa.Table:
    import pyarrow as pa

    rows, grid = body[note].astype(np.int64), tokenizer.vocabulary.grid
    ticks = GridClock(score, grid).ticks(row_times(body, tokenizer.vocabulary)[note])
    columns = {
        "tick": ticks,
        "second": score.seconds(ticks),
        "program": rows[:, INSTRUMENT] - 1,
        "pitch": rows[:, PITCH] - 1,
        "velocity": VELOCITIES.take(rows[:, VELOCITY]),
        "bits": fields.sum(axis=1),
        **{f"{name}_bits": bits for name, bits in zip(FIELDS, fields.T, strict=True)},
    }
    return pa.table(columns)


def piece_logits(model: Transformer, tokenizer: Tokenizer, tokens: Tokens) -> tuple[Tensor, ...]:
    """Logits of every field of rows 1… of a whole piece, `[T − 1, V]` each: see `Transformer`.

    Raises:
        InputError: if it is longer than the context, or holds a value outside the vocabulary.
    """
    if len(tokens) > model.context_rows + 1:
        raise InputError(
            f"the piece has {len(tokens)} rows, and the model reads {model.context_rows + 1}; "
            "give the tokens of a part of it"
        )
    check_tokens(torch.from_numpy(tokens[None]), model.config)
    columns = structure(tokens, tokenizer.vocabulary, length_of(tokens, tokenizer.vocabulary))
    device = model.embedding.weight.device
    batch = [torch.from_numpy(each[None]).to(device) for each in (tokens, columns)]
    with torch.inference_mode():
        return tuple([logits[0] for logits in model(*batch)])
