"""Encodings on one budget: compound, MuseNet's three, and MidiTok's REMI and TSD.

    python benchmarks/encodings.py [FOLDER…] [--minutes 10] [--out figures.json] [--picture a.png]

FOLDER holds MIDI files, at any depth; where it has folders `train` and `test` those are the split,
else every tenth file is held out. Without one, the prompts in examples/ are used for some seconds:
enough for the script to run, too little for conclusions. The corpora of the table are
github.com/czhuang/JSB-Chorales-dataset as MIDI and github.com/jukedeck/nottingham-dataset.

All encodings get the same music: starts and durations on the compound grid (24 steps a quarter),
every note of one loudness. Vocabularies are learned from the training pieces in all the keys that
they are trained in. MidiTok's time signatures cost nothing here.

For each encoding one small Transformer of the same shape reads tokens alone, without the structure
that ours can have besides; the compound head predicts field after field. Minutes are CPU time of
one thread, the nets take turns of seconds. Bits per note are all bits of the held-out pieces over
their notes, so encodings of any number of tokens compare; what an encoding loses it need not
predict, and stands beside. MidiTok (`pip install miditok`) and merges (`pip install tokenizers`)
join where they are installed.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.encoding_tokens import (
    COMPOUND,
    Corpus,
    Encoding,
    Figures,
    corpus,
    encodings,
    in_key,
    measured,
)
from musenet.evaluation.likelihood import spans
from musenet.model.config import ModelConfig
from musenet.model.likelihood import BITS
from musenet.model.transformer import Transformer
from tokenizer import InputError
from tokenizer.typing import Mask, Tokens

PROMPTS = Path(__file__).resolve().parents[1] / "examples" / "prompts"
KEYS = (0, -3, 2, 5)
CONTEXT, BATCH, SLICE = 256, 4, 3.0


class Net:
    """One net under way: an encoding of a corpus, and the CPU seconds that it has had."""

    def __init__(
        self,
        encoding: Encoding,
        corpus_: Corpus,
        figures: Figures,
        seed: int,
        layers: int,
        width: int,
    ) -> None:
        torch.manual_seed(seed)
        self.figures = figures
        self.spent = 0.0
        self._encoding = encoding
        self._closing = max(encoding.sizes[0], 1)  # the id that opens and closes every piece
        sizes = (self._closing + 1, *encoding.sizes[1:])
        config = ModelConfig(
            sizes, (1,), layers=layers, heads=4, width=width, context=CONTEXT, patterns=("dense",),
            known_columns=1,
        )  # fmt: skip
        self.model = Transformer(config)
        figures.parameters = sum(p.numel() for p in self.model.parameters())
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.01
        )
        self._random = np.random.default_rng(seed)
        self._train = [self._piece(in_key(rows, key)) for key in KEYS for rows in corpus_.train]
        self._test = [self._piece(rows) for rows in corpus_.test]
        self._notes = [int(COMPOUND.vocabulary.is_note(rows).sum()) for rows in corpus_.test]
        lengths = np.array([len(tokens) for tokens, _ in self._train], dtype=float)
        self._chance = lengths / lengths.sum()

    def _piece(self, rows: Tokens) -> tuple[Tokens, Mask]:
        """Tokens between two closing ones, and which of their fields are predicted."""
        tokens = self._encoding.encode(COMPOUND.decode(rows))
        edge = np.zeros((1, tokens.shape[1]), dtype=tokens.dtype)
        edge[0, 0] = self._closing
        known = np.zeros_like(edge, dtype=bool)
        ends = known.copy()
        ends[0, 0] = True
        counted = np.concatenate([known, self._encoding.counted(tokens), ends])
        return np.concatenate([edge, tokens, edge]), counted

    def train(self, seconds: float, limit: float) -> None:
        """Go on for some CPU seconds of `limit`, over which the rate warms up and falls."""
        stop = min(self.spent + seconds, limit)
        while self.spent < stop:
            begin = time.process_time()
            done = self.spent / limit
            rate = min(1.0, 20 * done + 0.05) * 0.5 * (1 + math.cos(math.pi * done))
            self._optimizer.param_groups[0]["lr"] = 2e-3 * rate
            self._step()
            self.spent += time.process_time() - begin

    def _step(self) -> None:
        drawn = [self._window() for _ in range(BATCH)]
        nats, count = self._nats(drawn)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(nats.sum() / max(1, count))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self.figures.tokens_seen += sum(len(tokens) - 1 for tokens, _ in drawn)

    def _window(self) -> tuple[Tokens, Mask]:
        tokens, counted = self._train[self._random.choice(len(self._train), p=self._chance)]
        start = int(self._random.integers(-CONTEXT // 2, max(1, len(tokens) - CONTEXT // 2)))
        start = max(0, min(start, len(tokens) - CONTEXT - 1))
        return tokens[start : start + CONTEXT + 1], counted[start : start + CONTEXT + 1]

    def _nats(self, windows: Sequence[tuple[Tokens, Mask]]) -> tuple[torch.Tensor, int]:
        """Nats of each window `(B,)`, and how many tokens are predicted."""
        longest = max(len(tokens) for tokens, _ in windows)
        fields = windows[0][0].shape[1]
        tokens = np.zeros((len(windows), longest, fields), dtype=np.int64)
        counted = np.zeros(tokens.shape, dtype=bool)
        for place, (ids, mask) in enumerate(windows):
            tokens[place, : len(ids)], counted[place, : len(ids)] = ids, mask
        structure = torch.zeros((len(windows), longest, 1), dtype=torch.long)
        predicted = torch.from_numpy(counted[:, 1:])
        nats = self.model.nll(torch.from_numpy(tokens), structure) * predicted
        return nats.sum((1, 2)), int(predicted.any(-1).sum())

    def score(self) -> None:
        """Bits per note of the held-out pieces, with 95 % of a bootstrap over pieces."""
        nats = np.zeros(len(self._test))
        with torch.no_grad():
            for place, (tokens, counted) in enumerate(self._test):
                for span in spans(len(tokens), CONTEXT, 0):
                    mask = counted[span.start : span.stop].copy()
                    mask[: span.first - span.start] = False
                    nats[place] += float(self._nats([(tokens[span.start : span.stop], mask)])[0][0])
        bits, notes = nats * BITS, np.array(self._notes)
        drawn = np.random.default_rng(0).integers(0, len(bits), (1000, len(bits)))
        ratios = np.sort(bits[drawn].sum(1) / notes[drawn].sum(1))
        self.figures.bits_per_note = float(bits.sum() / notes.sum())
        self.figures.interval = float(ratios[25]), float(ratios[974])


def table(rows: Sequence[Figures], minutes: float) -> Table:
    """The figures, a line an encoding."""
    shown = Table(
        *("corpus", "encoding", "ids", "tokens/note", "notes in 4,096", "notes lost"),
        *("durations changed", "encode, notes/s", "decode, notes/s", "parameters"),
        *("tokens seen", f"bits/note after {minutes:g} min", "95 %"),
    )
    for row in rows:
        low, high = row.interval
        shown.add_row(
            row.corpus,
            row.encoding,
            f"{row.ids:,}",
            f"{row.tokens_per_note:.2f}",
            f"{4096 / row.tokens_per_note:,.0f}",
            f"{100 * row.lost:.2f} %",
            f"{100 * row.durations_changed:.2f} %",
            f"{row.encoded_per_second:,.0f}",
            f"{row.decoded_per_second:,.0f}",
            f"{row.parameters / 1e6:.2f} M",
            f"{row.tokens_seen:,}",
            f"{row.bits_per_note:.2f}",
            f"{low:.2f} to {high:.2f}",
        )
    return shown


def picture(rows: Sequence[Figures], file: Path, minutes: float) -> None:
    """Bits per note over tokens per note, a panel a corpus."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row.corpus for row in rows))
    figure = Figure(figsize=(5.2 * len(names), 4), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), place + 1)
        for row in (row for row in rows if row.corpus == name):
            spread = [[row.bits_per_note - row.interval[0]], [row.interval[1] - row.bits_per_note]]
            axes.errorbar(row.tokens_per_note, row.bits_per_note, spread, fmt="o", capsize=2)
            axes.annotate(
                row.encoding, (row.tokens_per_note, row.bits_per_note),
                xytext=(5, 4), textcoords="offset points", fontsize=8,
            )  # fmt: skip
        axes.set(title=name, xlabel="tokens per note", ylabel=f"bits per note, {minutes:g} CPU min")
        axes.margins(x=0.35)
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--minutes", type=float, help="CPU minutes for each net")
    parser.add_argument("--pieces", type=int, default=300, help="to train on, at most")
    parser.add_argument("--held-out", type=int, default=100, help="pieces to score, at most")
    parser.add_argument("--merges", type=int, nargs="*", default=[0, 1000, 8000])
    parser.add_argument("--chords", type=int, default=8000)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--picture", type=Path, help="picture of them")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="miditok")
    torch.set_num_threads(1)
    minutes = options.minutes
    if minutes is None:
        minutes = 10.0 if options.folders else 0.05
    nets: list[Net] = []
    for folder in options.folders or [PROMPTS]:
        music = corpus(folder, options.pieces, options.held_out)
        bodies = [in_key(rows, key) for key in KEYS for rows in music.train]
        for encoding in encodings(bodies, options.merges, options.chords):
            figures = measured(encoding, music)
            nets.append(Net(encoding, music, figures, options.seed, options.layers, options.width))
            print(f"{music.name}: {encoding.name}, {figures.tokens_per_note:.2f} tokens a note")
    limit = 60 * minutes
    while any(net.spent < limit for net in nets):
        for net in nets:
            net.train(SLICE, limit)
    for net in nets:
        net.score()
        figures = net.figures
        print(f"{figures.corpus}: {figures.encoding}, {figures.bits_per_note:.2f} bits a note")
    rows = [net.figures for net in nets]
    Console(width=200).print(table(rows, minutes))
    if options.out:
        whole = {"minutes": minutes, "rows": [asdict(row) for row in rows]}
        options.out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    if options.picture:
        picture(rows, options.picture, minutes)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
