"""Bits per note after the same minutes of one core: our model beside MidiTok TSD and GPT-2.

    python benchmarks/quality_per_compute.py [FOLDER] [--minutes 10] [--context 1024]

FOLDER holds MIDI files, such as OpenScore Lieder (github.com/OpenScore/Lieder, as MIDI) or POP909
(github.com/music-x-lab/POP909-Dataset), or is a dataset that `musenet prepare` wrote. The peer
needs `pip install miditok transformers`.

Ours is what `musenet train --preset mini` trains, by the same loop and settings, but in smaller
steps with a shorter warm-up, as the run is short, and without augmentation and labels, so that both
see the same music and nothing else. They read it as it comes out of our tokenizer: equal notes on
equal steps (24 per quarter note) in equal velocities (32). Both are scored on the pieces of the
test split, in windows that overlap by half. They learn in turns of a few seconds, so that both meet
the same noise. Minutes are CPU time on one thread: on an idle core, minutes of the clock.

What cannot be the same: the peer knows no meter, so it codes none; ours codes bars and changes of
meter, and is given the first meter. The peer's durations end at 16 quarters, where longer ones are
cut in its favour. Both code the end of a piece.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gpt2_peer import Gpt2, Gpt2Run, Ids, Tsd, count
from data_prep.dataset.pieces import Pieces
from data_prep.pipeline import prepare
from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer, is_dataset
from musenet.evaluation.likelihood import Piece as OurPiece
from musenet.evaluation.likelihood import score
from musenet.model.likelihood import BITS
from musenet.model.precision import matmul_dtype
from musenet.model.transformer import Transformer
from musenet.training.batches import Batches, training_windows
from musenet.training.checkpoints import TrainingState
from musenet.training.distributed import Cost, Group
from musenet.training.loop import RunLength, StepsReported, StopSignal, TrainingLoop
from musenet.training.objective import NoteCost
from musenet.training.optimizers import create_optimizers
from musenet.training.settings import Settings
from musenet.training.start import model_config
from tokenizer.errors import InputError
from tokenizer.malloc import keep_freed_memory

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "bench" / "pop909.tar.xz"
"""What is read when no folder is given."""
_WARMUP = 50
_TURN = 20.0


@dataclass
class Clock:
    """CPU seconds of a run's turns: those before this turn, and when it began."""

    before: float = 0.0
    begun: float = 0.0

    @property
    def spent(self) -> float:
        """Seconds in all."""
        return self.before + time.process_time() - self.begun


@dataclass(frozen=True)
class CpuLength(RunLength):
    """How long a run is in CPU seconds of its turns, whatever passes between them."""

    clock: Clock

    def fraction_done(self, step: int, seconds: float) -> float:  # noqa: ARG002
        """How much of the run is done, from 0 to 1."""
        return min(1.0, self.clock.spent / (self.seconds or 1.0))


class OurRun:
    """Our training loop, in turns.

    Args:
        dataset: to train on.
        seconds: of CPU time, the whole run.
        context: rows.
        batch: windows of a step.
    """

    def __init__(self, dataset: Path, seconds: float, context: int, batch: int) -> None:
        settings = Settings(
            preset="mini",
            context=context,
            batch=batch,
            warmup=_WARMUP,
            transpose=0,
            volume=False,
            timing=False,
            label_dropout=1.0,
            all_labels_dropout=0.0,
            length_dropout=1.0,
            threads=1,
        )
        self.tokenizer = dataset_tokenizer(dataset)
        self.context = context
        self.model = Transformer(
            model_config(settings, self.tokenizer),
            matmul_dtype(settings.precision, torch.device("cpu")),
        )
        group = Group()
        self.state = TrainingState()
        self._clock = Clock()
        windows = training_windows(dataset, settings, transpose=0)
        self._loop = TrainingLoop(
            settings=settings,
            group=group,
            cost=Cost(NoteCost(self.model), settings, group),
            optimizers=create_optimizers(self.model, settings),
            batches=Batches(windows, settings.batch),
            final_windows=None,
            length=CpuLength(None, seconds, self._clock),
            device=torch.device("cpu"),
        )

    def turn(self, seconds: float) -> None:
        """Train for about so much CPU time, or until the run's end."""
        self._clock.begun = time.process_time()
        until = self._clock.before + seconds
        for event in self._loop.events(self.state, StopSignal()):
            # The loop reports every few seconds; a turn ends at the first report after its time.
            if isinstance(event, StepsReported) and self._clock.spent >= until:
                break
        self._clock.before = self._clock.spent

    @property
    def spent(self) -> float:
        """CPU seconds of all turns."""
        return self._clock.before

    def close(self) -> None:
        """End the thread that makes batches."""
        self._loop.batches.close()


@dataclass(frozen=True)
class Result:
    """What one contestant did, and its bits per note of the test split."""

    name: str
    parameters: int
    minutes: float
    steps: int
    seen: float
    notes: int
    bits: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.name,
            f"{self.parameters / 1e6:.2f} M",
            f"{self.minutes:.1f}",
            str(self.steps),
            f"{self.seen:,.0f}",
            f"{self.notes:,}",
            f"{self.bits:.3f}",
        )


def peer_ids(tsd: Tsd, dataset: Path, split: str) -> list[Ids]:
    """The pieces of a split, decoded from our tokens and encoded with the peer's."""
    pieces = Pieces(dataset, split)
    decode = pieces.tokenizer.decode
    return [tsd.encode(decode(pieces.tokens(i))) for i in range(len(pieces))]


def compare(dataset: Path, options: argparse.Namespace) -> tuple[Result, Result]:
    """Train both in turns and score both: ours, the peer."""
    torch.manual_seed(0)
    seconds = 60 * options.minutes
    ours = OurRun(dataset, seconds, options.context, options.batch)
    tsd = Tsd()
    gpt2 = Gpt2(tsd.size, count(ours.model), ours.model.config.width, options.peer_context)
    music = np.concatenate(peer_ids(tsd, dataset, "train"))
    peer = Gpt2Run(gpt2, music, seconds, options.peer_rate, options.peer_batch)
    while min(ours.spent, peer.spent) < seconds:
        for run in (ours, peer):
            if run.spent < seconds:
                run.turn(_TURN)
        print(f"{ours.spent:6.0f} s and {peer.spent:6.0f} s of {seconds:.0f}", file=sys.stderr)
    ours.close()
    own = dataset_pieces(dataset, "test")[: options.pieces]
    test = peer_ids(tsd, dataset, "test")[: options.pieces]
    return _scored_ours(ours, own), _scored_peer(peer, gpt2, test, tsd)


def _scored_ours(run: OurRun, pieces: list[OurPiece]) -> Result:
    found = score(run.model, run.tokenizer, pieces, context=run.context)
    return Result(
        "ours: compound, cascade, mini",
        count(run.model),
        run.spent / 60,
        run.state.step,
        run.state.notes,
        int(found.notes.sum()),
        found.bits_per_note,
    )


def _scored_peer(run: Gpt2Run, gpt2: Gpt2, pieces: list[Ids], tsd: Tsd) -> Result:
    notes = sum(tsd.notes(ids) for ids in pieces)
    return Result(
        f"MidiTok TSD, GPT-2 of {gpt2.layers} layers",
        count(gpt2.model),
        run.spent / 60,
        run.steps,
        run.tokens * notes / sum(map(len, pieces)),
        notes,
        sum(gpt2.nats(ids) for ids in pieces) * BITS / notes,
    )


def show(ours: Result, peer: Result) -> None:
    """Print the table."""
    table = Table(
        "",
        "parameters",
        "CPU minutes",
        "steps",
        "notes seen",
        "test notes",
        "bits/note",
        title="bits per note of held-out pieces, learned on one core in turns",
        caption=f"ours needs {100 * (1 - ours.bits / peer.bits):.1f} % fewer bits per note",
    )
    table.add_row(*ours.cells)
    table.add_row(*peer.cells)
    Console(width=110).print(table)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, default=10.0, help="of one core, each")
    parser.add_argument("--context", type=int, default=1024, help="notes that ours reads at once")
    parser.add_argument("--pieces", type=int, help="of the test split to score; default all")
    parser.add_argument("--batch", type=int, default=2, help="windows of a step of ours")
    parser.add_argument("--peer-context", type=int, default=1024, help="tokens")
    parser.add_argument("--peer-rate", type=float, default=1e-3, help="of its AdamW")
    parser.add_argument("--peer-batch", type=int, default=2)
    options = parser.parse_args()
    source = options.folder or ARCHIVE
    if options.folder is None and not ARCHIVE.exists():
        print(f"Give a folder of MIDI files, such as POP909: there is nothing at {ARCHIVE}.")
        return
    for name in ("miditok", "transformers"):
        if find_spec(name) is None:
            print(
                f"{name} is not installed, and the peer needs it: pip install miditok transformers"
            )
            return
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        with tempfile.TemporaryDirectory() as made:
            dataset = source
            if not is_dataset(dataset):
                dataset = Path(made) / "dataset"
                prepare([source], dataset)
            show(*compare(dataset, options))
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
