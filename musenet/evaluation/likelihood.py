"""Held-out bits per note, with enough context for every note.

A piece longer than the context is read in windows that overlap by half: the first is scored
whole, every later one in its second half, so that each row is scored once and has at least half
a window before it wherever the piece has that much. Every window begins with the control
prefix, as in training. By default the prefix contains only `start` and the meter, and the length of
the piece is hidden: the bits are those of music of which only the meter is known.

    bits per note = Σ over pieces of Σ over counted fields of −log₂ p / number of notes

The interval is a bootstrap over pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from musenet.model.likelihood import BITS, Batch, field_nats
from musenet.model.transformer import Transformer
from tokenizer.encoding.learned.learned import NOTES_BEGUN, LearnedTokenizer
from tokenizer.encoding.structure import TIME, length_of, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import FIELDS, WAIT, Vocabulary
from tokenizer.typing import Floats, Ints, Mask, Structure, Tokens

from .bootstrap import Interval, bootstrap


@dataclass(frozen=True)
class Piece:
    """A piece to score.

    Attributes:
        name: of the piece, for messages.
        source: the corpus or folder it belongs to.
        prefix: its control rows `(P, 5)`, including its meter.
        body: the music `(T, 5)`, end row included.
        composer: its composer, if known.
        instruments: names of the instruments in it.
    """

    name: str
    source: str
    prefix: Tokens
    body: Tokens
    composer: str | None = None
    instruments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """One window: rows `start` to `stop` of the body behind a prefix, scored from `first` on."""

    start: int
    first: int
    stop: int


def spans(rows: int, context: int, prefix: int) -> list[Span]:
    """The windows that score each of `rows` body rows once.

    Args:
        rows: length of the body.
        context: rows that the model reads at once, prefix included.
        prefix: rows of the prefix.

    The model predicts row i + 1 from row i, so a window may hold `context + 1` rows.
    """
    room = context + 1 - prefix
    found = [Span(0, 0, min(room, rows))]
    half = max(1, room // 2)
    while found[-1].stop < rows:
        first = found[-1].stop
        stop = min(first + half, rows)
        found.append(Span(max(0, stop - room), first, stop))
    return found


@dataclass(frozen=True)
class Conditions:
    """What the model knows about a piece besides its notes.

    Attributes:
        labels: whether the prefix contains all labels (composer, instruments, tempo, …), or only
            the meter, without which bars could not be counted.
        length: whether its length is known (PART and COUNTDOWN).
    """

    labels: bool = False
    length: bool = False


WindowArrays = tuple[Tokens, Structure, Mask]
"""The result of `PieceWindows.arrays`."""


class PieceWindows:
    """The windows of one piece as arrays for the model."""

    def __init__(self, piece: Piece, tokenizer: Tokenizer, conditions: Conditions) -> None:
        vocabulary = tokenizer.vocabulary
        length = length_of(piece.body, vocabulary) if conditions.length else None
        whole = np.concatenate([piece.prefix, piece.body])
        self._structure = structure(whole, vocabulary, length)[len(piece.prefix) :]
        self._counted = vocabulary.counted(whole)[len(piece.prefix) :]
        self._piece = piece
        kept = [conditions.labels or _is_meter(vocabulary, v) for v in piece.prefix[:, 0].tolist()]
        self._prefix = piece.prefix[np.array(kept, dtype=bool)]
        self._start = vocabulary.start
        self._steps = vocabulary.steps

    def prefix(self, span: Span) -> Tokens:
        """The control rows before a window: `start` stands only where the piece begins."""
        is_start = self._prefix[:, 0] == self._start
        labels = self._prefix[~is_start]
        if span.start > 0:
            return labels
        start = np.zeros((1, len(FIELDS)), dtype=np.int16)
        start[0, 0] = self._start
        return np.concatenate([start, labels])

    def spans(self, context: int) -> list[Span]:
        """The windows of the piece."""
        return spans(len(self._piece.body), context, len(self._prefix) + 1)

    def arrays(self, span: Span) -> WindowArrays:
        """Tokens, structure and counted mask of a window: `(W, 5)`, `(W, 6)`, `(W, 5)`."""
        prefix = self.prefix(span)
        part = slice(span.start, span.stop)
        zeros = np.zeros((len(prefix), self._structure.shape[1]), dtype=np.int32)
        first = self._piece.body[span.start, WAIT]
        zeros[:, TIME] = self._structure[span.start, TIME] - self._steps[first]
        counted = self._counted[part].copy()
        counted[: span.first - span.start] = False
        return (
            np.concatenate([prefix, self._piece.body[part]]),
            np.concatenate([zeros, self._structure[part]]),
            np.concatenate([np.zeros(prefix.shape, dtype=np.bool_), counted]),
        )


class SpelledWindows:
    """The windows of one piece in the ids of a learned encoding, `(W, 1)`: see `PieceWindows`.

    Only the meter is known of the piece.
    """

    def __init__(self, piece: Piece, encoding: LearnedTokenizer) -> None:
        meters = [_is_meter(encoding.vocabulary, v) for v in piece.prefix[:, 0].tolist()]
        self._labels = encoding.spelled(piece.prefix[np.array(meters, dtype=bool)])
        self._body = encoding.spelled(piece.body)
        whole = np.concatenate([self._labels, self._body])
        self._columns = encoding.window_columns(whole)[len(self._labels) :]
        self._steps = encoding.steps_of_id
        self._start = np.array([[encoding.vocabulary.start]], dtype=np.int16)

    def spans(self, context: int) -> list[Span]:
        """The windows of the piece."""
        return spans(len(self._body), context, len(self._labels) + 1)

    def arrays(self, span: Span) -> WindowArrays:
        """Ids, structure and counted mask of a window: `(W, 1)`, `(W, 9)`, `(W, 1)`."""
        opening = [] if span.start else [self._start]
        prefix = np.concatenate([*opening, self._labels])
        body, columns = (x[span.start : span.stop] for x in (self._body, self._columns))
        before = np.zeros((len(prefix), columns.shape[1]), dtype=np.int32)
        before[:, TIME] = columns[0, TIME] - self._steps[body[0, WAIT]]
        counted = np.arange(len(prefix) + len(body)) >= len(prefix) + span.first - span.start
        return (
            np.concatenate([prefix, body]),
            np.concatenate([before, columns]),
            counted[:, None],
        )


def _is_meter(vocabulary: Vocabulary, value: int) -> bool:
    return vocabulary.name(value).startswith("time_signature:")


def batch_of(windows: Sequence[WindowArrays]) -> Batch:
    """Windows of any lengths as one batch, padded at the end with rows that do not count."""
    longest = max(len(tokens) for tokens, _, _ in windows)

    def padded(index: int, dtype: torch.dtype) -> torch.Tensor:
        width = windows[0][index].shape[1]
        out = torch.zeros((len(windows), longest, width), dtype=dtype)
        for i, window in enumerate(windows):
            out[i, : len(window[index])] = torch.from_numpy(window[index])
        return out

    return Batch(padded(0, torch.int64), padded(1, torch.int64), padded(2, torch.bool))


@dataclass(frozen=True)
class Scores:
    """Nats of each piece and field `(P, F)`, and number of notes of each piece `(P,)`."""

    nats: Floats
    notes: Ints

    @property
    def bits_per_note(self) -> float:
        """All bits over all notes."""
        return float(self.nats.sum() * BITS / max(1, self.notes.sum()))

    @property
    def per_field(self) -> dict[str, float]:
        """Bits per note of each field; they add up to `bits_per_note`."""
        bits = self.nats.sum(axis=0) * BITS / max(1, self.notes.sum())
        names = FIELDS if len(bits) == len(FIELDS) else ("token",)
        return dict(zip(names, bits.tolist(), strict=True))

    def interval(self) -> Interval:
        """95 % of the bits per note of as many pieces drawn with replacement."""
        return bootstrap(self.nats.sum(axis=1) * BITS, self.notes)

    def of(self, chosen: Mask) -> Scores:
        """The same for some of the pieces."""
        return Scores(self.nats[chosen], self.notes[chosen])


def score(
    model: Transformer,
    tokenizer: Tokenizer,
    pieces: Sequence[Piece],
    *,
    context: int,
    batch: int = 8,
    conditions: Conditions | None = None,
    progress: Callable[[int], None] | None = None,
    encoding: LearnedTokenizer | None = None,
) -> Scores:
    """Score pieces under a model.

    Args:
        model: the model, on its device.
        tokenizer: of the model.
        pieces: the pieces to score.
        context: context length in rows or ids; at most that of the model.
        batch: windows per batch.
        conditions: what the model knows besides the notes; by default only the meter.
        progress: called with the number of windows done.
        encoding: the learned encoding that the model writes; of a piece it knows only the meter.
    """
    nats = np.zeros((len(pieces), len(FIELDS) if encoding is None else 1))
    notes = np.zeros(len(pieces), dtype=np.int64)
    known = conditions or Conditions()

    def cut(piece: Piece) -> PieceWindows | SpelledWindows:
        if encoding is None:
            return PieceWindows(piece, tokenizer, known)
        return SpelledWindows(piece, encoding)

    jobs = (
        (index, windows.arrays(span))
        for index, piece in enumerate(pieces)
        for windows in [cut(piece)]
        for span in windows.spans(context)
    )
    vocabulary = tokenizer.vocabulary
    for group in _by_length(jobs, batch):
        costs = batch_nats(model, batch_of([window for _, window in group])).sum(axis=1)
        for (index, window), cost in zip(group, costs, strict=True):
            nats[index] += cost
            notes[index] += count_notes(window, vocabulary)
        if progress is not None:
            progress(len(group))
    return Scores(nats, notes)


_Job = tuple[int, WindowArrays]
"""A window, and the index of its piece."""


def count_notes(window: WindowArrays, vocabulary: Vocabulary) -> int:
    """Notes among the rows of a window that count."""
    tokens, columns, counted = window
    if tokens.shape[1] == 1:
        return int((columns[:, NOTES_BEGUN] * counted[:, 0]).sum())
    return int((vocabulary.is_note(tokens) & counted.any(axis=1)).sum())


def _by_length(
    jobs: Iterable[tuple[int, WindowArrays]], batch: int
) -> Iterator[list[tuple[int, WindowArrays]]]:
    """Groups of `batch` jobs of similar length, so that little is padding; few are held."""
    held: list[_Job] = []
    for job in jobs:
        held.append(job)
        if len(held) == 16 * batch:
            held.sort(key=lambda item: len(item[1][0]))
            yield from (held[i : i + batch] for i in range(0, len(held), batch))
            held = []
    held.sort(key=lambda item: len(item[1][0]))
    yield from (held[i : i + batch] for i in range(0, len(held), batch))


@torch.no_grad()
def batch_nats(model: Transformer, batch: Batch) -> Floats:
    """Nats of every row and field of a batch, `(B, T, 5)`, zero where it does not count."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    nats = field_nats(model, batch.to(device))
    model.train(training)
    return nats.double().cpu().numpy()


def summary(pieces: Sequence[Piece], scores: Scores) -> dict[str, Any]:
    """The figures of an evaluation as plain data, in total and by source."""
    return {
        "notes": int(scores.notes.sum()),
        "pieces": len(pieces),
        "bits_per_note": scores.bits_per_note,
        "interval": list(scores.interval()),
        "per_field": scores.per_field,
        "per_source": _grouped([(p.source,) for p in pieces], scores),
        "per_composer": _grouped([(p.composer,) if p.composer else () for p in pieces], scores),
        "per_instrument": _grouped([p.instruments for p in pieces], scores),
    }


def _grouped(names: Sequence[tuple[str, ...]], scores: Scores) -> dict[str, Any]:
    groups = {}
    for name in sorted({name for found in names for name in found}):
        part = scores.of(np.array([name in found for found in names]))
        groups[name] = {
            "pieces": len(part.notes),
            "notes": int(part.notes.sum()),
            "bits_per_note": part.bits_per_note,
            "interval": list(part.interval()),
            "per_field": part.per_field,
        }
    return groups
