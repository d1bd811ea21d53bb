"""Ids drawn from small random weights: grammar, span, seeds, and music longer than the context."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.learned.token_sampler import TokenSampler
from musenet.sampling.sampler import SamplerConfig, rows_of
from tokenizer import ChordwiseTokenizer, OnsetTokenizer, Score, Tokenizer, Track, row_times
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.labels import Labels
from tokenizer.score.score import NOTES

COMPOUND = Tokenizer.default()
PROMPT = COMPOUND.body(
    Score(
        480,
        (Track("", 0),),
        np.array([(240 * i, 480, 60 + i % 5, 80, 0, 0) for i in range(24)], NOTES),
    )
)
ENCODINGS: dict[str, LearnedTokenizer] = {
    "chordwise": ChordwiseTokenizer(COMPOUND, volumes=1).learned([PROMPT], 20),
    "onsets": OnsetTokenizer(COMPOUND).learned([PROMPT], 0),
}


def model_of(encoding: LearnedTokenizer) -> Transformer:
    torch.manual_seed(3)
    config = ModelConfig(
        encoding.sizes,
        STRUCTURE_SIZES,
        layers=1,
        heads=2,
        width=16,
        context=64,
        patterns=("dense",),
    )
    model = Transformer(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


CONFIG = SamplerConfig(
    prefix=COMPOUND.prefix(Labels(time_signature=(4, 4))),
    prompt=PROMPT,
    not_before=300,
    until=300 + 300 * 96,
    filters=(FieldFilter(),) * 5,
    constraints=Constraints(),
    seed=5,
    variations=(1, 2),
)


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_rows_lie_in_the_span_and_follow_from_seed_and_number(name: str) -> None:
    encoding = ENCODINGS[name]
    model = model_of(encoding)
    sampled = list(TokenSampler(model, encoding, CONFIG).sample())
    vocabulary = COMPOUND.vocabulary
    for index in (0, 1):
        rows = rows_of(sampled, index)
        times = row_times(np.concatenate([PROMPT, rows]), vocabulary)[len(PROMPT) :]
        assert [s.times[index] for s in sampled if s.live[index]] == times.tolist()
        assert times[vocabulary.is_note(rows)].min() >= CONFIG.not_before
        assert times.max() < CONFIG.until
        assert len(encoding.spelled(rows)) > 64  # more than the context holds
    second = list(TokenSampler(model, encoding, replace(CONFIG, variations=(2,))).sample())
    assert np.array_equal(rows_of(second, 0), rows_of(sampled, 1))
    assert not np.array_equal(rows_of(sampled, 0), rows_of(sampled, 1))


def test_what_sounds_at_the_end_of_the_span_ends_there() -> None:
    """Ids that begin a chord and never end it, in place of those that a model would draw."""
    encoding = ENCODINGS["chordwise"]
    body = COMPOUND.body(
        Score(
            480, (Track("", 0),), np.array([(0, 1, 40, 80, 0, 0), (0, 9600, 50, 80, 0, 0)], NOTES)
        )
    )
    sampler = TokenSampler(model_of(encoding), encoding, replace(CONFIG, until=588))
    wait = encoding.symbols.waits(
        CONFIG.not_before - int(row_times(PROMPT, COMPOUND.vocabulary)[-1])
    )
    ids = [*wait, *encoding.spelled(body, cut=True)[:, 0].tolist()]
    rows = sampler._rows(np.array(ids, dtype=np.int16)[:, None])
    durations = COMPOUND.vocabulary.grid.durations[rows[COMPOUND.vocabulary.is_note(rows), 3] - 1]
    assert durations.tolist() == [0, 288]


def test_notes_of_a_prompt_that_does_not_fit_are_counted() -> None:
    encoding = ENCODINGS["onsets"]
    model = model_of(encoding)  # reads 48 of 64 ids, the prefix of two among them
    ids = len(encoding.spelled(PROMPT))
    unread = TokenSampler(model, encoding, CONFIG).unread_notes
    assert unread == int(encoding.notes_begun(encoding.spelled(PROMPT))[: ids - 46].sum()) > 0
    short = replace(CONFIG, prompt=PROMPT[:4])
    assert TokenSampler(model, encoding, short).unread_notes == 0


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_music_spells_is_allowed_and_little_else(name: str) -> None:
    """The grammar never forbids what `spelled` writes, and forbids most of what is no music."""
    encoding = ENCODINGS[name]
    other = COMPOUND.body(
        Score(
            480,
            (Track("", 0), Track("", 40)),
            np.array(
                [(0, 960, 60, 80, 0, 0), (240, 240, 60, 80, 0, 0), (240, 0, 71, 9, 40, 1)], NOTES
            ),
        )
    )
    for body in (PROMPT, other):
        ids = encoding.spelled(np.concatenate([body, COMPOUND.end()]))[:, 0].tolist()
        for before, after in itertools.pairwise(ids):
            assert encoding.allowed_after(before)[after], (before, after)
    random = np.random.default_rng(1).integers(1, encoding.sizes[0], (500, 2))
    assert np.mean([encoding.allowed_after(a)[b] for a, b in random.tolist()]) < 0.5
