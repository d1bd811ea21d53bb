"""Bits per note after the same minutes of one core: our model beside MidiTok TSD and GPT-2.

    python benchmarks/quality_per_compute.py FOLDER [--minutes 10] [--context 1024]

FOLDER holds MIDI files, such as POP909 (github.com/music-x-lab/POP909-Dataset), or is a dataset
that `musenet prepare` wrote. The peer needs `pip install miditok transformers`.

Ours is what `musenet train --preset mini` trains, by the same loop and settings, but without
augmentation, so that both see the same music. Both are scored on the pieces of the test split, and
read all music as it comes out of our tokenizer: equal notes on equal steps (24 a quarter) in equal
velocities (32). Both learn in turns of a few seconds, so that both meet the same noise.
Minutes are CPU time on one thread: on an idle core, minutes of the clock.

What cannot be the same is in the peer's favour: it stores no meter, but gets time shifts of any
length; its durations end at 16 quarters, where longer ones are cut; ours pay for rests, bars and
changes of meter, and both for the end of the piece. Ours is told a piece's first meter.
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

from benchmarks.gpt2_peer import Gpt2, Gpt2Run, Tsd, count
from data_prep.pieces import Pieces
from data_prep.pipeline import prepare
from musenet.evaluation.likelihood import score
from musenet.evaluation.pieces import dataset_pieces, dataset_tokenizer, is_dataset
from musenet.memory import keep_freed_memory
from musenet.training import optimizers
from musenet.training.batches import Batches, training_windows
from musenet.training.loop import Parts, Stop, fit
from musenet.training.metrics import Row
from musenet.training.objective import BITS, NoteCost
from musenet.training.parallel import Cost, Group
from musenet.training.precision import matmul_dtype
from musenet.training.run import model_config
from musenet.training.schedule import Length
from musenet.training.settings import Settings
from musenet.training.snapshots import Progress
from musenet.transformer import Transformer
from tokenizer.errors import InputError


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
class CpuLength(Length):
    """How long a run is in CPU seconds of its turns, whatever passes between them."""

    clock: Clock

    def progress(self, step: int, seconds: float) -> float:  # noqa: ARG002
        """The part of the run that is done."""
        return min(1.0, self.clock.spent / (self.seconds or 1.0))


class OurRun:
    """Our training loop, in turns.

    Args:
        dataset: to train on.
        seconds: of CPU time, the whole run.
        context: rows.
    """

    def __init__(self, dataset: Path, seconds: float, context: int) -> None:
        settings = Settings(
            preset="mini", context=context, transpose=0, volume=False, timing=False, threads=1
        )
        self.tokenizer = dataset_tokenizer(dataset)
        self.context = context
        self.model = Transformer(
            model_config(settings, self.tokenizer), matmul_dtype(settings.precision)
        )
        group = Group()
        self.progress = Progress()
        self._clock = Clock()
        self._turn = 0.0
        self._stop = Stop()
        windows = training_windows(dataset, settings, transpose=0)
        self._parts = Parts(
            settings=settings,
            group=group,
            cost=Cost(NoteCost(self.model), settings, group),
            optimizers=optimizers.create(self.model, settings),
            batches=Batches(windows, settings.batch),
            late_windows=None,
            length=CpuLength(None, seconds, self._clock),
            device=torch.device("cpu"),
            report=self._report,
            validate=lambda _: None,
            save=lambda _: None,
            sample=lambda _: None,
            flops_per_token=0.0,
            peak=0.0,
        )

    def turn(self, seconds: float) -> None:
        """Train for about so much CPU time, or until the run's end."""
        self._clock.begun = time.process_time()
        self._turn = self._clock.before + seconds
        self._stop = Stop()
        fit(self._parts, self.progress, self._stop)
        self._clock.before = self._clock.spent

    @property
    def spent(self) -> float:
        """CPU seconds of all turns."""
        return self._clock.before

    def _report(self, _: Row) -> None:
        # The loop reports every few seconds; a turn ends at the first report after its time.
        self._stop.signal = int(self._clock.spent >= self._turn)

    def close(self) -> None:
        """End the thread that makes batches."""
        self._parts.batches.close()


def scores_of_peer(tsd: Tsd, gpt2: Gpt2, dataset: Path) -> tuple[float, int, int]:
    """Nats, notes and tokens of the test split."""
    nats, notes, tokens = 0.0, 0, 0
    for ids in peer_ids(tsd, dataset, "test"):
        nats += gpt2.nats(ids)
        notes += tsd.notes(ids)
        tokens += len(ids)
    return nats, notes, tokens


def peer_ids(tsd: Tsd, dataset: Path, split: str) -> list[np.ndarray]:
    """The pieces of a split, decoded from our tokens and encoded with the peer's."""
    pieces = Pieces(dataset, split)
    decode = pieces.tokenizer.decode
    return [tsd.encode(decode(pieces.tokens(i))) for i in range(len(pieces))]


def compare(dataset: Path, minutes: float, options: argparse.Namespace) -> Table:
    """Train both in turns, score both, and say it in a table."""
    torch.manual_seed(0)
    seconds = 60 * minutes
    ours = OurRun(dataset, seconds, options.context)
    tsd = Tsd()
    size = count(ours.model)
    gpt2 = Gpt2(tsd.size, size, ours.model.config.width, options.peer_context)
    music = np.concatenate(peer_ids(tsd, dataset, "train"))
    peer = Gpt2Run(gpt2, music, seconds, options.peer_rate, options.peer_batch)
    while min(ours.spent, peer.spent) < seconds:
        for run in (ours, peer):
            if run.spent < seconds:
                run.turn(20.0)
        print(f"{ours.spent:6.0f} s and {peer.spent:6.0f} s of {seconds:.0f}", file=sys.stderr)
    ours.close()
    found = score(
        ours.model, ours.tokenizer, dataset_pieces(dataset, "test"), context=options.context
    )
    nats, notes, tokens = scores_of_peer(tsd, gpt2, dataset)
    theirs = nats * BITS / notes
    table = Table(
        "",
        "parameters",
        "CPU minutes",
        "steps",
        "notes seen",
        "test notes",
        "bits/note",
        title=f"{len(found.notes)} held-out pieces, the same core, in turns",
    )
    per_note = tokens / notes
    seen = peer.tokens / per_note
    table.add_row(
        "ours: compound, cascade, mini",
        f"{size / 1e6:.2f} M",
        f"{ours.spent / 60:.1f}",
        str(ours.progress.step),
        f"{ours.progress.notes:,}",
        f"{int(found.notes.sum()):,}",
        f"{found.bits_per_note:.3f}",
    )
    table.add_row(
        f"MidiTok TSD + GPT-2, {gpt2.layers} layers",
        f"{count(gpt2.model) / 1e6:.2f} M",
        f"{peer.spent / 60:.1f}",
        str(peer.steps),
        f"{seen:,.0f}",
        f"{notes:,}",
        f"{theirs:.3f}",
    )
    table.caption = (
        f"ours needs {100 * (1 - found.bits_per_note / theirs):.1f} % fewer bits a note; by field: "
        + ", ".join(f"{name} {bits:.2f}" for name, bits in found.per_field.items())
    )
    return table


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--minutes", type=float, default=10.0, help="of one core, each")
    parser.add_argument("--context", type=int, default=1024, help="notes that ours reads at once")
    parser.add_argument("--peer-context", type=int, default=1024, help="tokens")
    parser.add_argument("--peer-rate", type=float, default=1e-3)
    parser.add_argument("--peer-batch", type=int, default=4)
    options = parser.parse_args()
    if options.folder is None:
        print("Give a folder of MIDI files, such as POP909: nothing is compared without one.")
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
            dataset = options.folder
            if not is_dataset(dataset):
                dataset = Path(made) / "dataset"
                prepare([options.folder], dataset)
            Console(width=110).print(compare(dataset, options.minutes, options))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
