"""Does guidance make the composer asked for audible, and what does the music suffer? One table.

    python benchmarks/guidance.py DATASET --weights mini --composers bach,chopin,… --pieces 10

Held-out pieces of some composers (by default the eight with most of them) give their labels:
composer, instruments, tempo, meter and key. A new piece is made with these labels at each strength
of guidance. A piece is recognised if, of all these composers, the model finds it likeliest with the
one that was asked for: the classifier that a model with labels contains. Real pieces are judged in
the same way.

    found          share of pieces that are recognised, with 95 %
    margin         bits a note by which the composer asked for is likelier than the best other one
    bits           bits a note of the music without a composer: low is predictable
    inside         statistics of `musenet.evaluation.statistics` within the 95 % of real music
    distance       median |distance| of the statistics in standard deviations of real music
    notes/s        median over the pieces
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.dataset.pieces import Pieces
from musenet.api import Model, load
from musenet.evaluation.bootstrap import bootstrap
from musenet.evaluation.likelihood import Conditions, Piece, score
from musenet.evaluation.statistics import compare_statistics, statistics_of
from tokenizer import Score, Tokenizer
from tokenizer.labels import Labels
from tokenizer.score.bars import Bars
from tokenizer.theory import Key
from tokenizer.typing import Floats

STRENGTHS = (1.0, 1.5, 2.0, 3.0)
NATS = np.log(2)


@dataclass
class Made:
    """Pieces of some composers, and how they are judged."""

    found: list[bool] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    bits: list[float] = field(default_factory=list)
    statistics: list[dict[str, float]] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)

    def add(self, model: Model, music: Score, labels: Labels, composers: Sequence[str]) -> None:
        """Judge a piece."""
        nats, without = likelihoods(model, music, labels, composers)
        asked = composers.index(labels.composer or "")
        others = np.delete(nats, asked).min()
        self.found.append(bool(nats[asked] < others))
        self.margins.append(float(others - nats[asked]) / NATS)
        self.bits.append(without / NATS)
        self.statistics.append(statistics_of(music))


def likelihoods(
    model: Model, music: Score, labels: Labels, composers: Sequence[str]
) -> tuple[Floats, float]:
    """Nats a note of a piece with each composer, and with none."""
    tokenizer = model.checkpoint.tokenizer
    assert isinstance(tokenizer, Tokenizer)
    body = tokenizer.body(music)
    pieces = [
        Piece("", "", tokenizer.prefix(replace(labels, composer=name)), body)
        for name in (*composers, None)
    ]
    network = model.checkpoint.model
    scores = score(
        network,
        tokenizer,
        pieces,
        context=network.config.context,
        conditions=Conditions(labels=True),
    )
    nats = scores.nats.sum(axis=1) / np.maximum(scores.notes, 1)
    return nats[:-1], float(nats[-1])


def first_bars(music: Score, bars: int) -> Score:
    """The first bars of a piece."""
    return music.slice(0, Bars(music.time_signatures, music.ticks_per_quarter).tick(bars))


def chosen(
    pieces: Pieces, model: Model, composers: Sequence[str], each: int
) -> list[tuple[int, Labels]]:
    """Some pieces of each composer; of the eight with most pieces where no composer is named."""
    labels = [pieces.labels(number) for number in range(len(pieces.lengths))]
    known = set(model.checkpoint.tokenizer.vocabulary.names("composer"))
    counts = Counter(own.composer for own in labels if own.composer in known)
    names = composers or [name for name, _ in counts.most_common(8)]
    taken: Counter[str] = Counter()
    found = []
    for number in np.random.default_rng(0).permutation(len(labels)).tolist():
        name = labels[number].composer
        if name is not None and name in names and taken[name] < each:
            taken[name] += 1
            found.append((number, labels[number]))
    return found


def line(name: str, made: Made, real: Made) -> str:
    """A row of the table."""
    share = np.array(made.found, float)
    low, high = bootstrap(share)
    compared = compare_statistics(made.statistics, real.statistics)
    inside = sum(part["inside"] for part in compared.values())
    distance = np.nanmedian([abs(part["distance"]) for part in compared.values()])
    row = f"{name:8}{len(share):5}   {share.mean():.2f} ({low:.2f}–{high:.2f})"
    row += f"{np.mean(made.margins):9.3f}{np.mean(made.bits):8.2f}"
    row += f"{inside:6}/{len(compared):<3}{distance:9.2f}"
    return row + (f"{np.median(made.speeds):9.0f}" if made.speeds else "")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--composers", default="", help="separated by commas")
    parser.add_argument("--pieces", type=int, default=10, help="of each composer")
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--split", default="test")
    asked = parser.parse_args()
    model, pieces = load(asked.weights), Pieces(asked.dataset, asked.split)
    named = [name for name in asked.composers.split(",") if name]
    cases = chosen(pieces, model, named, asked.pieces)
    composers = sorted({labels.composer or "" for _, labels in cases})
    print(f"{', '.join(composers)}; {asked.bars} bars each")
    print(f"{'':8}    n   found (95 %)      margin    bits   inside  distance  notes/s")
    real = Made()
    for number, labels in cases:
        music = pieces.tokenizer.decode(pieces.tokens(number))
        real.add(model, first_bars(music, asked.bars), labels, composers)
    print(line("real", real, real), flush=True)
    for strength in STRENGTHS:
        made = Made()
        for seed, (_, labels) in enumerate(cases):
            began = time.perf_counter()
            (song,) = model.generate(
                bars=asked.bars,
                composer=labels.composer,
                instruments=tuple(labels.instruments),
                new_instruments=True,
                tempo=labels.tempo,
                meter=labels.time_signature,
                key=labels.key and Key(*labels.key),
                guidance=strength,
                seed=seed,
            )
            made.speeds.append(song.result.notes / (time.perf_counter() - began))
            made.add(model, song.score, labels, composers)
        print(line(f"{strength:g}", made, real), flush=True)


if __name__ == "__main__":
    main()
