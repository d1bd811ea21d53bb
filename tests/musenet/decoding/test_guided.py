"""Guidance: what two decoders that know nothing of each other give, put together by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from musenet.decoding import int8
from musenet.decoding.cuda_graphs import GraphDecoder
from musenet.decoding.decoder import Decoder
from musenet.decoding.engines import make_decoder
from musenet.decoding.guided import Guide, GuidedDecoder
from musenet.model.checkpoint import Checkpoint
from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.sampler import Sampler, SamplerConfig, rows_of
from tokenizer.labels import Labels
from tokenizer.typing import Integers, Ints, Logits, Tokens

FIELDS, STRUCTURE = (40, 9, 30, 7, 5), (6, 5, 7, 5, 9, 9)
CONFIG = ModelConfig(
    FIELDS,
    STRUCTURE,
    layers=3,
    heads=4,
    width=64,
    context=64,
    row_length=8,
    patterns=("local", "dense"),
    positions="rotary_time",
    steps_per_quarter=24,
)
Opened = Callable[[ModelConfig], Transformer]
needs_int8 = pytest.mark.skipif(int8.missing() is not None, reason="onnxruntime is not installed")


def decoder(model: Transformer, batch: int, engine: str) -> Decoder:
    # Asked for by name, graphs would be refused on a CPU.
    return GraphDecoder(model, batch) if engine == "graphs" else make_decoder(model, batch, engine)


def shown(made: Decoder, tokens: Ints, columns: Ints, start: int, batch: int) -> list[Logits]:
    """The logits of every field of rows `start`…, where all rows are forced."""
    seen: list[Logits] = []
    made.start(tokens[:, :start], columns[:, :start])
    for i in range(start, tokens.shape[1]):
        row = np.broadcast_to(tokens[:, i], (batch, 5))
        place = np.broadcast_to(columns[:, i], (batch, columns.shape[-1]))

        def choose(field: int, logits: Logits, rows: Ints, row: Ints = row) -> Ints:
            assert rows.shape == (batch, 5)
            seen.append(logits.copy())
            return row[:, field]

        def peek(first: Ints, place: Ints = place) -> Integers:
            assert first.shape == (batch,)
            return place

        assert np.array_equal(made.sample(choose, peek), row)
        made.advance(row, place)
    assert made.position == tokens.shape[1]
    return seen


@pytest.mark.parametrize("sequences", [1, 3])
@pytest.mark.parametrize("engine", ["eager", "graphs", pytest.param("int8", marks=needs_int8)])
def test_logits_are_those_without_labels_and_more_of_what_these_add(
    engine: str, sequences: int, opened: Opened, one_thread: None
) -> None:
    model, random = opened(CONFIG), np.random.default_rng(2)
    tokens = np.stack([random.integers(1, size, (sequences, 20)) for size in FIELDS], -1)
    tokens[..., 0] %= 38
    tokens[:, 1:3] = 0
    tokens[:, 1:3, 0] = 38, 39
    columns = np.stack([random.integers(0, size, (sequences, 20)) for size in STRUCTURE], -1)
    time = np.cumsum(random.integers(0, 60, (sequences, 20)), 1)
    columns = np.concatenate([columns, time[..., None]], -1)
    tokens[:, 15] = 0
    tokens[:, 15, 0] = 39  # one kind of labels stands among the rows too, as chords do
    guides = [
        Guide(np.arange(FIELDS[0]) == 38, 1.5),
        Guide(np.arange(FIELDS[0]) == 39, 3.0, (2,)),
    ]
    with torch.inference_mode():
        all_ = GuidedDecoder(decoder(model, 9, engine), guides)
        guided = shown(all_, tokens, columns, 12, 3)
        told = shown(decoder(model, 3, engine), tokens, columns, 12, 3)
        untold = []
        for label in (38, 39):
            without = tokens.copy()
            without[tokens[..., 0] == label] = 0
            untold.append(shown(decoder(model, 3, engine), without, columns, 12, 3))
    row = slice(15, 20)  # the fields of the label's own row, which nobody draws
    for each in (guided, told, *untold):
        del each[row]
    for place, (mine, more, less, lesser) in enumerate(zip(guided, told, *untold, strict=True)):
        assert np.abs(more - less).max() > 1e-3
        assert np.abs(more - lesser).max() > 1e-3
        expected = more + 0.5 * (more - less) + 2.0 * (more - lesser) * (place % 5 == 2)
        np.testing.assert_allclose(mine, expected, atol=4e-4)


def sampled(checkpoint: Checkpoint, config: SamplerConfig) -> list[Tokens]:
    made = list(Sampler(checkpoint.model, checkpoint.tokenizer.vocabulary, config).sample())
    return [rows_of(made, lane) for lane in range(len(config.variations))]


@pytest.fixture
def config(tiny: Checkpoint) -> SamplerConfig:
    labels = Labels(composer="bach", styles=("baroque",), instruments=(0,), tempo=90)
    return SamplerConfig(
        prefix=tiny.tokenizer.prefix(labels),
        prompt=np.empty((0, 5), np.int16),
        not_before=0,
        until=192,
        filters=(FieldFilter(),) * 5,
        constraints=Constraints(),
        seed=5,
        variations=(1, 2),
        engine="eager",
    )


@pytest.mark.parametrize("head", ["cascade", "delay"])
def test_labels_guide_whatever_the_head(
    tiny: Checkpoint, config: SamplerConfig, opened: Opened, head: str
) -> None:
    other = replace(tiny, source=opened(replace(tiny.config, head=head)).eval())
    plain, strong = (sampled(other, replace(config, guidance=g)) for g in (1.0, 3.0))
    assert all(len(rows) for rows in strong)
    assert not all(map(np.array_equal, plain, strong))


@needs_int8
def test_a_guided_variation_is_the_same_alone_and_among_others(
    tiny: Checkpoint, config: SamplerConfig
) -> None:
    """Past the context too, where each window begins with its labels and without."""
    config = replace(config, engine="int8", guidance=2.0, until=5_000)
    together = sampled(tiny, config)
    assert max(map(len, together)) > tiny.model.context_rows
    assert np.array_equal(sampled(tiny, replace(config, variations=(2,)))[0], together[1])
    assert np.array_equal(sampled(tiny, config)[0], together[0])


def test_no_label_no_guidance(tiny: Checkpoint, config: SamplerConfig) -> None:
    """Both sequences are the same then, and any strength gives the logits of either."""
    prefix = tiny.tokenizer.prefix(Labels(instruments=(0,), tempo=90))
    plain, strong = (sampled(tiny, replace(config, prefix=prefix, guidance=g)) for g in (1.0, 3.0))
    for one, other in zip(plain, strong, strict=True):
        assert np.array_equal(one, other)
