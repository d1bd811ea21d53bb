"""What tests share: parts on the grid and rows sampled beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from musenet.model.checkpoint import Checkpoint
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.given import Stretch
from musenet.sampling.sampler import SampledRows, Sampler, SamplerConfig
from tokenizer.encoding.compound import Events, note_rows
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.labels import Labels

BAR = 96
TOKENIZER = Tokenizer.default()
VOCABULARY = TOKENIZER.vocabulary


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
