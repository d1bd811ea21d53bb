"""Does a model hear its prompt? Bits per note of a figure that is played again and again.

    python benchmarks/listening.py DATASET --weights mini

A figure of 1, 2, 4, 8 or 16 bars of a held-out piece is played eight times, as it is and disguised
(other instruments and loudness). A model that looks back pays almost nothing from the third time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.dataset.disguise import Disguise, apply_disguise, draw_disguise
from data_prep.dataset.pieces import Pieces
from musenet.model.checkpoint import load_checkpoint
from musenet.model.precision import matmul_dtype
from musenet.model.transformer import Transformer
from tokenizer import Tokenizer, structure
from tokenizer.encoding.compound import Events, encode_events, row_times
from tokenizer.encoding.structure import bar_positions
from tokenizer.encoding.vocabulary import INSTRUMENT
from tokenizer.typing import Floats, Tokens

ROUNDS = 8
FEWEST, MOST = 8, 120


def figures(pieces: Pieces, bars: int, count: int, context: int) -> list[Tokens]:
    """Bodies `(T, 5)` that repeat a figure of so many bars `ROUNDS` times, one for each piece."""
    vocabulary, random = pieces.tokenizer.vocabulary, np.random.default_rng(0)
    found: list[Tokens] = []
    for piece in random.permutation(len(pieces)).tolist():
        body, meter = pieces.tokens(piece), pieces.labels(piece).time_signature
        times, note = row_times(body, vocabulary), vocabulary.is_note(body)
        _, position = bar_positions(body, times, vocabulary, meter=meter)
        lines = np.flatnonzero(note & (position == 0))
        random.shuffle(lines)
        for at in lines[:4].tolist():
            opening = vocabulary.control("time_signature:{}/{}".format(*meter or (4, 4)))
            length = bars * int(vocabulary.bar_steps[opening]) if opening else 0
            begin = int(times[at])
            inside = note & (times >= begin) & (times < begin + length)
            most = min(MOST * bars // 4 if bars > 4 else MOST, (context - 16) // ROUNDS)
            if FEWEST <= inside.sum() <= most and times[-1] >= begin + length:
                notes, offsets = body[inside], times[inside] - begin
                every = (np.arange(ROUNDS)[:, None] * length + offsets).reshape(-1)
                none = np.empty(0, np.int64)
                events = Events(every, np.tile(notes, (ROUNDS, 1)), none, none)
                found.append(encode_events(events, vocabulary))
                break
        if len(found) == count:
            break
    return found


def costs(model: Transformer, tokenizer: Tokenizer, bodies: list[Tokens]) -> Floats:
    """Bits per note of each time round, `(ROUNDS,)`: the mean over bodies."""
    vocabulary = tokenizer.vocabulary
    start = np.zeros((2, 5), dtype=np.int16)
    start[:, 0] = [vocabulary.start, vocabulary.control("time_signature:4/4") or 0]
    rounds = []
    for body in bodies:
        tokens = np.concatenate([start, body])
        columns = structure(tokens, vocabulary)
        with torch.no_grad():
            nats = model.nll(
                torch.from_numpy(tokens.astype(np.int64))[None],
                torch.from_numpy(columns.astype(np.int64))[None],
            )[0]
        counted = torch.from_numpy(vocabulary.counted(tokens)[1:])
        row = (nats.float() * counted).sum(-1).double().numpy() / np.log(2)
        note = np.cumsum(tokens[1:, INSTRUMENT] > 0)
        size = int(note[-1]) // ROUNDS
        at = np.minimum(np.maximum(note - 1, 0) // size, ROUNDS - 1)
        rounds.append(np.bincount(at, row, ROUNDS) / size)
    mean: Floats = np.mean(rounds, axis=0)
    return mean


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--split", default="test")
    parser.add_argument("--figures", type=int, default=60)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--bars", default="1,2,4,8")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.weights, compute=matmul_dtype("auto", torch.device("cpu")))
    pieces = Pieces(options.dataset, options.split)
    print(f"{'bars':>4} {'':10} {'n':>3}  " + " ".join(f"{i + 1:5d}" for i in range(ROUNDS)))
    for bars in map(int, options.bars.split(",")):
        plain = figures(pieces, bars, options.figures, options.context)
        random = np.random.default_rng(1)
        other = [body.copy() for body in plain]
        for body in other:
            tables = draw_disguise(Disguise(rate=1.0), body, random)
            apply_disguise(body, tables, pieces.tokenizer.vocabulary)
        for name, bodies in (("as it is", plain), ("disguised", other)):
            bits = costs(checkpoint.model, pieces.tokenizer, bodies)
            row = " ".join(f"{b:5.2f}" for b in bits)
            first, later = bits[0], bits[2:].mean()
            print(f"{bars:4d} {name:10} {len(bodies):3d}  {row}   {first:.2f} → {later:.2f}")


if __name__ == "__main__":
    main()
