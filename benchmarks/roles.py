"""Where should given music stand: at its time, ahead of it, or all in front? A short trial.

    python benchmarks/roles.py DATASET --out runs/roles

Small nets, alike in everything else, learn to write some parts of a passage beside others that are
given. They differ in where the given rows stand. The figure is bits per written note of held-out
windows, the survival term of given rows included; `nothing given` is the same task without them.
The net with given rows at their time is also asked to fill holes of which nothing, one bar and two
bars of what comes after are told.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.dataset.augment import NO_AUGMENTATION, Augmentation, Dropout
from data_prep.dataset.pieces import Pieces
from data_prep.dataset.tasks import Place, Tasks
from data_prep.dataset.windows import Dataset
from musenet.model.config import ModelConfig
from musenet.model.likelihood import BITS, Batch, field_nats
from musenet.model.transformer import Transformer
from musenet.training.batches import to_batch
from musenet.training.loop import rate_factor
from musenet.training.optimizers import create_optimizers
from musenet.training.settings import Settings
from tokenizer.encoding.compound import Events
from tokenizer.encoding.holes import Hole, no_events, with_header
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.typing import Steps, Tokens

Rows = tuple[Tokens, Steps]


def ahead(steps: int, hole: Hole, written: Events, time: int, vocabulary: Vocabulary) -> Rows:
    """Given rows stand some steps before their time."""
    given = hole.given
    earlier = replace(
        given,
        times=np.maximum(given.times - steps, time),
        control_times=np.maximum(given.control_times - steps, time),
    )
    return with_header(replace(hole, given=earlier), written, time, vocabulary)


def in_front(hole: Hole, written: Events, time: int, vocabulary: Vocabulary) -> Rows:
    """All given rows stand between the mark and the return, like what comes after the hole."""
    given, after = hole.given, hole.after
    told = Events(
        np.concatenate([given.times, after.times]),
        np.concatenate([given.notes, after.notes]),
        np.concatenate([given.control_times, after.control_times]),
        np.concatenate([given.controls, after.controls]),
    )
    return with_header(replace(hole, given=no_events(), after=told), written, time, vocabulary)


def without(hole: Hole, written: Events, time: int, vocabulary: Vocabulary) -> Rows:
    """Nothing is given but the instruments to write."""
    return with_header(replace(hole, given=no_events()), written, time, vocabulary)


def windows(folder: Path, split: str, context: int, tasks: Tasks, seed: int) -> Dataset:
    """Windows with a task and only the meter as label."""
    dropout = Dropout(
        composer=1, styles=1, instruments=1, tempo=1, time_signature=0, key=1, length=1
    )
    return Dataset(
        folder,
        split,
        context,
        seed=seed,
        dropout=dropout,
        augmentation=NO_AUGMENTATION if split != "train" else Augmentation(),
        tasks=tasks,
        only_holes=split != "train",
        pack=split == "train",
    )


def train(data: Dataset, steps: int, batch: int) -> Transformer:
    """A net of four dense layers of 128 channels on two clocks."""
    torch.manual_seed(0)
    vocabulary = data.tokenizer.vocabulary
    config = ModelConfig(
        vocabulary.sizes,
        STRUCTURE_SIZES,
        layers=4,
        heads=8,
        width=128,
        context=data.context,
        patterns=("dense",),
        positions="rotary_time",
        steps_per_quarter=vocabulary.grid.beat,
        end_value=vocabulary.end,
    )
    model = Transformer(config)
    settings = Settings(steps=steps, warmup=20, adam_rate=6e-3)
    optimizers = create_optimizers(model, settings)
    begun = time.perf_counter()
    for step in range(steps):
        found = to_batch(data.batch(step, batch))
        nats = field_nats(model, found).sum() / max(1, found.notes)
        torch.autograd.backward(nats)
        optimizers.clip(settings.clip)
        factor = rate_factor(step / steps, step, warmup=settings.warmup, decay=settings.decay)
        optimizers.set_rate(factor)
        optimizers.step()
        if step % 100 == 99:
            minutes = (time.perf_counter() - begun) / 60
            print(
                f"  step {step + 1}: {float(nats.detach()) * BITS:.2f} bits, {minutes:.1f} min",
                flush=True,
            )
    return model


@torch.inference_mode()
def bits(model: Transformer, batches: list[Batch]) -> float:
    """Bits per written note."""
    nats = sum(float(field_nats(model, batch).double().sum()) for batch in batches)
    return nats * BITS / sum(batch.notes for batch in batches)


def main() -> None:
    """Train and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--windows", type=int, default=128)
    parser.add_argument("--only", default="time,none,front,beat,bar")
    options = parser.parse_args()
    torch.set_num_threads(1)
    beat = Pieces(options.dataset, "validation").tokenizer.vocabulary.grid.beat
    places: dict[str, tuple[str, Place]] = {
        "time": ("at their time", with_header),
        "none": ("nothing given", without),
        "front": ("all in front", in_front),
        "beat": ("a beat ahead", partial(ahead, beat)),
        "bar": ("a bar (of four beats) ahead", partial(ahead, 4 * beat)),
    }
    print("| given rows stand | parts throughout | holes | MINUTES |", flush=True)
    for key in options.only.split(","):
        name, place = places[key]
        begun = time.perf_counter()
        mix = Tasks(fill=0.5, accompany=0.5, after=(2,), untold=0.0, place=place)
        data = windows(options.dataset, "train", options.context, mix, 0)
        model = train(data, options.steps, options.batch)
        row = [_score(model, options, Tasks(accompany=1, untold=0.0, place=place))]
        row += [_score(model, options, Tasks(fill=1, after=(2,), untold=0.0, place=place))]
        minutes = (time.perf_counter() - begun) / 60
        print(
            f"| {name} | {' | '.join(f'{bits:.3f}' for bits in row)} | {minutes:.0f} |", flush=True
        )
        if key == "time":
            for bars in (0, 1, 2):
                found = _score(model, options, Tasks(fill=1, after=(bars,), untold=0.0))
                print(f"holes, {bars} bars of what comes after: {found:.3f}", flush=True)


def _score(model: Transformer, options: argparse.Namespace, tasks: Tasks) -> float:
    data = windows(options.dataset, "validation", options.context, tasks, 1)
    return bits(model, [to_batch(data.batch(k, 8)) for k in range(options.windows // 8)])


if __name__ == "__main__":
    main()
