"""What songs by rule teach: two nets that differ in nothing but a quarter of what they have seen.

    python benchmarks/bands_trial.py DATASET --runs FOLDER --config run.toml [--steps 1500]
        [--bands bands8000] [--unseen FOLDER ...] [--pieces 40]

Trains one net without the corpus of songs by rule and one with it at the weight that the settings
give, with equal shape, steps, seed and settings otherwise (a folder each; started again, it
resumes; `--only` trains one of them, so that two processes can share the work). Then prints bits
per note of held-out pieces by corpus, told the meter alone, for both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.shapes import trained
from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer, find_pieces
from musenet.evaluation.likelihood import Piece, score
from musenet.model.checkpoint import load_checkpoint
from musenet.model.precision import matmul_dtype
from musenet.training.settings import Settings, from_toml, settings_of
from tokenizer.malloc import keep_freed_memory

NETS = ("without", "with")
_NEVER = 1e-9  # a weight at which no note of a corpus is drawn
_CPU = torch.device("cpu")


def settings(net: str, asked: argparse.Namespace) -> Settings:
    """The settings of a net's run."""
    found = settings_of(from_toml(asked.config), {"steps": asked.steps, "minutes": None})
    if net == "with":
        return found
    return replace(found, weights={**found.weights, asked.bands: _NEVER})


def bits(folder: Path, pieces: Sequence[Piece]) -> tuple[float, int]:
    """Bits per note of pieces, and how many notes they have."""
    loaded = load_checkpoint(folder, compute=matmul_dtype("auto", _CPU))
    found = score(loaded.model, loaded.tokenizer, pieces, context=loaded.config.context)
    return found.bits_per_note, int(found.notes.sum())


def main() -> None:
    """Train what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the two runs")
    parser.add_argument("--config", type=Path, required=True, help="TOML of settings")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--bands", default="bands8000", help="the corpus of songs by rule")
    parser.add_argument("--unseen", type=Path, nargs="*", default=[], help="folders of other music")
    parser.add_argument("--pieces", type=int, default=40, help="pieces of each corpus at most")
    parser.add_argument("--only", choices=NETS, help="train this net, and print nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    if asked.only:
        trained(asked.runs / asked.only, asked.dataset, settings(asked.only, asked))
        return
    folders = [trained(asked.runs / net, asked.dataset, settings(net, asked)) for net in NETS]
    tokenizer = dataset_tokenizer(asked.dataset)
    corpora: dict[str, list[Piece]] = {}
    for split in ("test", "validation"):
        for piece in dataset_pieces(asked.dataset, split):
            corpora.setdefault(piece.source, []).append(piece)
    for folder in asked.unseen:
        corpora[folder.name] = list(find_pieces([folder], tokenizer, "test").pieces)
    random = np.random.default_rng(0)
    print("| music | pieces | notes | without | with | change |\n|---|---|---|---|---|---|")
    for name, pieces in sorted(corpora.items()):
        chosen = [pieces[i] for i in random.permutation(len(pieces))[: asked.pieces]]
        (one, notes), (other, _) = (bits(folder, chosen) for folder in folders)
        figures = f"{one:.2f} | {other:.2f} | {100 * (other / one - 1):+.1f} %"
        print(f"| {name} | {len(chosen)} | {notes:,} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
