"""Fits the weights with which chords are estimated, `tokenizer/chords/estimate.json`.

    python benchmarks/chord_weights.py FOLDER… [--pieces 200] [--out estimate.json]

Folders are those of `benchmarks/chords.py`, of which every second piece is fitted to, the first one
not. Each is taken three times: with all parts, the melody alone, and a random half of its
instruments. Random progressions of all qualities, the rare ones too, are another folder. The
weights of a quality are the same on every root; they are fitted by multinomial logistic regression
of the beats' symbols on `tokenizer.chords.estimate.features`, by Adam, every folder counting as
much as any other.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from benchmarks.chords import Piece, pieces  # noqa: E402
from tokenizer import Score  # noqa: E402
from tokenizer.chords.chord import CHORDS, NO_CHORD, NONE, QUALITIES  # noqa: E402
from tokenizer.chords.estimate import FEATURES, WEIGHTS, features  # noqa: E402
from tokenizer.files import write_text  # noqa: E402
from tokenizer.score.columns import NOTES  # noqa: E402
from tokenizer.typing import Floats, Ints  # noqa: E402

QUARTER = 480
FITTED = [quality for quality in QUALITIES if quality != NONE]
STEPS, BATCH = 1500, 768
RATE, LAST_RATE, LAST_STEPS = 0.03, 0.003, 600
PENALTY = 1e-4  # of the weights' squares


def examples(piece: Piece, generator: np.random.Generator) -> tuple[Floats, Ints]:
    """Features `(E, F, 12)` of beats that have a symbol, and its number in `CHORDS` less one."""
    programs = piece.notes["program"]
    half = np.isin(programs, [p for p in np.unique(programs) if generator.random() < 0.5])
    kept = piece.symbols > NO_CHORD.number
    found = []
    for heard in (np.full(len(programs), True), piece.melody, half):
        notes = piece.notes[heard]
        if len(notes):
            starts = notes["start"].astype(np.int64)
            ends = starts + notes["duration"]
            found.append(features(starts, ends, notes["pitch"], piece.beats)[kept])
    symbols = piece.symbols[kept] - 1
    return np.concatenate(found).astype(np.float32), np.tile(symbols, len(found))


def exercise(generator: np.random.Generator) -> Piece:
    """A progression of random chords, each quality as likely as any other, of one to four beats.

    They stand over their roots or, one time in four, another of their notes, as block chords or
    one note an eighth.
    """
    rows, symbols, time = [], [], 0
    broken, inverted = generator.random() < 0.5, generator.random() < 0.25
    for number in generator.integers(1, len(CHORDS), 16).tolist():
        end = time + QUARTER * int(generator.integers(1, 5))
        tones = sorted(CHORDS[number].pitch_classes)
        symbols.append((time, number))
        bass = generator.choice(tones) if inverted else CHORDS[number].root
        rows.append((time, end - time, 36 + bass, 80, 0, 0))
        for eighth in range(0, end - time, QUARTER // 2):
            now = [generator.choice(tones)] if broken else tones
            rows += [(time + eighth, QUARTER // 2, 60 + tone, 80, 0, 0) for tone in now]
        time = end
    return Piece.of(Score(QUARTER, notes=np.array(rows, NOTES)), 1, symbols)


def fit(inputs: Tensor, symbols: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Weights `(qualities, F · 12)` and biases, of examples that count by their shares."""
    torch.manual_seed(1)
    weights = torch.zeros(len(FITTED), len(FEATURES) * 12, requires_grad=True)
    bias = torch.zeros(len(FITTED), requires_grad=True)
    optimizer = torch.optim.Adam([weights, bias], RATE)
    above_root = (torch.arange(12)[:, None] + torch.arange(12)) % 12
    for step in range(STEPS):
        if step == STEPS - LAST_STEPS:
            optimizer.param_groups[0]["lr"] = LAST_RATE
        batch = torch.multinomial(shares, BATCH, replacement=True)
        seen = inputs[batch][:, :, above_root].transpose(1, 2).flatten(2)  # (B, roots, F · 12)
        logits = (seen @ weights.T + bias).transpose(1, 2).flatten(1)
        loss = cross_entropy(logits, symbols[batch]) + PENALTY * weights.square().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    print(f"loss {loss.item():.3f} nats a beat")
    return weights.detach(), bias.detach()


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit to folders and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--pieces", type=int, default=200, help="at most so many of a folder")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args(arguments)
    generator = np.random.default_rng(1)
    rows, symbols, shares = [], [], []
    corpora = [islice(pieces(folder), 1, 2 * given.pieces, 2) for folder in given.folders]
    for corpus in (*corpora, (exercise(generator) for _ in range(given.pieces))):
        found = [examples(piece, generator) for piece in corpus if len(piece.notes)]
        rows += [inputs for inputs, _ in found]
        symbols += [chords for _, chords in found]
        count = sum(len(chords) for _, chords in found)
        shares.append(np.full(count, 1 / count, np.float32))
    weights, bias = fit(*(torch.from_numpy(np.concatenate(c)) for c in (rows, symbols, shares)))
    by_quality = np.round(weights.double().numpy().reshape(len(FITTED), len(FEATURES), 12), 3)
    fitted = {
        quality: {"bias": round(float(constant), 3), "weights": table.tolist()}
        for quality, table, constant in zip(FITTED, by_quality, bias.double(), strict=True)
    }
    text = json.dumps({"features": FEATURES, "qualities": fitted}, indent=1)
    write_text(
        given.out, re.sub(r"(?<=\d,)\s+|(?<=\[)\s+(?=[-\d])|(?<=\d)\s+(?=\])", "", text) + "\n"
    )


if __name__ == "__main__":
    main()
