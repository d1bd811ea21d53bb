"""What tests share: parts on the grid, rows sampled beside them, notes with repeated pitches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from musenet.model.checkpoint import Checkpoint
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.given import Stretch
from musenet.sampling.sampler import SampledRows, Sampler, SamplerConfig
from musenet.sampling.style_penalty import RepeatedPitches
from tokenizer.encoding.compound import Events, note_rows
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT
from tokenizer.labels import Labels

BAR = 96
TOKENIZER = Tokenizer.default()
VOCABULARY = TOKENIZER.vocabulary
QUARTER = VOCABULARY.grid.beat


def part(program: int, times: list[int], pitch: int = 60) -> Events:
    """Notes of one instrument at some steps."""
    count = len(times)
    found, rows = note_rows(
        np.array(times, dtype=np.int64),
        np.full(count, program),
        np.full(count, pitch),
        np.full(count, 12),
        np.full(count, 80),
    )
    none = np.empty(0, np.int64)
    return Events(found, rows, none, none)


def config_of(stretches: tuple[Stretch, ...], **changes: object) -> SamplerConfig:
    plain = SamplerConfig(
        prefix=TOKENIZER.prefix(Labels(time_signature=(4, 4))),
        prompt=np.empty((0, 5), np.int16),
        not_before=stretches[0].begin,
        until=stretches[-1].end,
        filters=(FieldFilter(),) * 5,
        constraints=Constraints(programs=(0,)),
        seed=1,
        variations=(0, 1, 2),
        stretches=stretches,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def sampled(checkpoint: Checkpoint, config: SamplerConfig) -> list[SampledRows]:
    return list(Sampler(checkpoint.model, checkpoint.tokenizer.vocabulary, config).sample())


def rows(
    pitches: list[int],
    instrument: int = 1,
    steps: int = QUARTER,
    wait: int = QUARTER,
    velocity: int = 80,
) -> np.ndarray:
    """Notes after each other, each lasting so many steps and as many after the one before."""
    length = int(VOCABULARY.grid.duration_class(np.array(steps))) + 1
    loud = velocity // 4 + 1
    return np.array([[wait + 1, instrument, p + 1, length, loud] for p in pitches], dtype=np.int16)


def music(notes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two instruments on few pitches, some together, and their times."""
    random = np.random.default_rng(seed)
    made = np.ones((notes, 5), dtype=np.int16)
    made[:, INSTRUMENT] = random.integers(1, 3, notes)
    made[:, PITCH] = random.integers(60, 64, notes)
    made[:, WAIT] = 1 + random.integers(0, 3, notes)
    return made, np.cumsum(made[:, WAIT] - 1)


def searched(rows: np.ndarray, times: np.ndarray) -> list[int]:
    """The classes by the definition: is the pitch in the instrument's onset before this one?"""
    found = []
    for i, (row, now) in enumerate(zip(rows, times, strict=True)):
        before = (rows[:i, INSTRUMENT] == row[INSTRUMENT]) & (times[:i] < now)
        if before.any():
            onset = before & (times[:i] == times[:i][before].max())
            again = row[PITCH] in rows[:i][onset][:, PITCH]
            found.append(RepeatedPitches.REPEATED if again else RepeatedPitches.MOVED)
    return found
