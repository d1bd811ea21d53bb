"""LoRA beside full fine-tuning on a small folder: bits, minutes, size, and what is forgotten.

    python benchmarks/lora.py FOLDER --other FOLDER [--steps 150] [--ranks 4 16] [--weights mini]

Each way trains for the same steps on one thread, with the settings of `musenet finetune`. Bits
per note are of the folder's own held-out pieces, and of other music that the weights knew before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from rich.console import Console
from rich.table import Table

from data_prep.dataset.pieces import splits_of
from musenet.evaluation.inputs import dataset_pieces, find_pieces
from musenet.evaluation.likelihood import Piece, score
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.training import finetune


def bits(checkpoint: Checkpoint, pieces: list[Piece]) -> float:
    """Bits per note of pieces."""
    context = checkpoint.config.context
    return score(checkpoint.model, checkpoint.tokenizer, pieces, context=context).bits_per_note


def megabytes(folder: Path) -> float:
    """The size of a folder."""
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def main() -> None:
    """Fine-tune in each way, and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", help="the music to learn")
    parser.add_argument("--other", type=Path, required=True, help="music known before")
    parser.add_argument("--steps", type=int, default=150, help="of each training")
    parser.add_argument("--context", type=int, default=1024, help="of its windows")
    parser.add_argument("--ranks", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int, default=30, help="of the other music")
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = load_checkpoint(options.weights)
    found = list(find_pieces([options.other], base.tokenizer, "test").pieces)
    other = found[:: max(1, len(found) // options.pieces)][: options.pieces]
    table = Table("way", "own music", "other music", "CPU minutes", "MB", title="bits per note")
    with tempfile.TemporaryDirectory() as work:
        own: list[Piece] = []
        for rank in (0, *options.ranks):
            name = f"LoRA, rank {rank}" if rank else "all weights"
            out, run = Path(work) / f"model{rank}", Path(work) / f"run{rank}"
            changes = {
                "steps": options.steps,
                "validate_steps": max(1, options.steps // 5),
                "validate_minutes": 1e6,
                "context": options.context,
                "threads": 1,
                "lora": rank,
                "batch": 2,
            }
            session = finetune.begin([options.folder], run, options.weights, changes)
            begun = time.process_time()
            session.train()
            took = (time.process_time() - begun) / 60
            finetune.finish(session, out)
            tuned = load_checkpoint(f"{options.weights}+{out}" if rank else out)
            if not own:
                split = "test" if "test" in splits_of(run / "data") else "validation"
                own = dataset_pieces(run / "data", split, base.tokenizer)
                known = f"{bits(base, own):.3f}", f"{bits(base, other):.3f}"
                table.add_row("before", *known, "", f"{megabytes(base.folder):.1f}")
            figures = f"{bits(tuned, own):.3f}", f"{bits(tuned, other):.3f}"
            table.add_row(name, *figures, f"{took:.1f}", f"{megabytes(out):.2f}")
            print(f"{name}: {figures}", file=sys.stderr)
    notes = sum(int((piece.body[:, 1] > 0).sum()) for piece in own)
    table.caption = f"own: {len(own)} held-out pieces, {notes:,} notes; other: {len(other)} pieces"
    Console(width=90).print(table)


if __name__ == "__main__":
    main()
