"""The sampling loop: variations that do not touch, windows past the context, the right inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from musenet.decoding.eager import EagerDecoder
from musenet.decoding.int8 import missing
from musenet.model.checkpoint import Checkpoint
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.sampler import Sampler, SamplerConfig, _Uniforms, kept_rows, rows_of
from tokenizer.encoding.structure import structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.labels import Labels
from tokenizer.typing import Integers, Tokens


def tokenizer_of(checkpoint: Checkpoint) -> Tokenizer:
    return checkpoint.tokenizer


@pytest.fixture
def config(tiny: Checkpoint) -> SamplerConfig:
    tokenizer = tokenizer_of(tiny)
    prefix = tokenizer.prefix(Labels(instruments=(0, 40), time_signature=(3, 4), tempo=90))
    body = np.array(
        [[1, 1, 61, 13, 20], [1, 41, 70, 25, 20], [13, 1, 63, 13, 18], [13, 41, 72, 13, 21]],
        dtype=np.int16,
    )
    return SamplerConfig(
        prefix=prefix,
        prompt=body,
        not_before=36,
        until=36 + 72 * 2,
        filters=(FieldFilter(top_p=0.95),) * 5,
        constraints=Constraints(),
        seed=5,
        variations=(1,),
    )


def sampled(checkpoint: Checkpoint, config: SamplerConfig) -> list[Tokens]:
    """The live rows of each variation."""
    sampler = Sampler(checkpoint.model, tokenizer_of(checkpoint).vocabulary, config)
    made = list(sampler.sample())
    return [rows_of(made, lane) for lane in range(len(config.variations))]


def test_music_starts_and_stops_where_asked(tiny: Checkpoint, config: SamplerConfig) -> None:
    vocabulary = tokenizer_of(tiny).vocabulary
    (rows,) = sampled(tiny, config)
    times = np.cumsum(vocabulary.steps[np.concatenate([config.prompt, rows])[:, 0]])[4:]
    assert len(rows) > 8
    assert times.min() >= config.not_before
    assert times.max() < config.until


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.skipif(missing() is not None, reason="onnx and onnxruntime are not installed")
def test_a_variation_is_the_same_alone_and_among_others(
    tiny: Checkpoint, config: SamplerConfig, threads: int
) -> None:
    # Past the context, so that windows are begun for each variation by itself, too. In int8, as
    # eager may round otherwise with other sequences beside.
    config = replace(config, engine="int8", until=1_800)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = sampled(tiny, replace(config, variations=tuple(range(1, 10))))
        for k in (1, 4, 9):
            alone = sampled(tiny, replace(config, variations=(k,)))[0]
            assert np.array_equal(alone, together[k - 1])
    finally:
        torch.set_num_threads(before)
    assert len({rows.tobytes() for rows in together}) == 9


def test_the_seed_decides(tiny: Checkpoint, config: SamplerConfig) -> None:
    first, again = sampled(tiny, config)[0], sampled(tiny, config)[0]
    other = sampled(tiny, replace(config, seed=6))[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def inputs(
    checkpoint: Checkpoint, config: SamplerConfig, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Integers, Integers, bool]]:
    """What the decoder is given: a lane's rows and structure, and whether they begin a window."""
    calls: list[tuple[Integers, Integers, bool]] = []
    start, advance = EagerDecoder.start, EagerDecoder.advance

    def started(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        calls.extend((rows[lane], columns[lane], True) for lane in range(len(rows)))
        start(decoder, rows, columns)

    def advanced(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        calls.append((rows[:1], columns[:1], False))
        advance(decoder, rows, columns)

    monkeypatch.setattr(EagerDecoder, "start", started)
    monkeypatch.setattr(EagerDecoder, "advance", advanced)
    sampled(checkpoint, replace(config, engine="eager"))
    return calls


def test_the_model_reads_the_rows_and_structure_of_the_whole_piece(
    tiny: Checkpoint, config: SamplerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fed row by row is what `structure` says of all rows at once."""
    vocabulary = tokenizer_of(tiny).vocabulary
    config = replace(config, length=config.until)
    calls = inputs(tiny, config, monkeypatch)
    rows = np.concatenate([tokens for tokens, _, _ in calls])
    columns = np.concatenate([column for _, column, _ in calls])
    music = sampled(tiny, replace(config, engine="eager"))[0]
    whole = np.concatenate([config.prefix, config.prompt, music])
    assert np.array_equal(rows, whole[: len(rows)])
    assert np.array_equal(columns, structure(whole, vocabulary, config.length)[: len(rows)])


def test_windows_go_on_past_the_context(
    tiny: Checkpoint, config: SamplerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new window is the prefix without `start` and the last rows, with their true structure."""
    vocabulary = tokenizer_of(tiny).vocabulary
    config = replace(config, until=3_500, variations=(1, 2))
    context = tiny.config.context
    calls = inputs(tiny, config, monkeypatch)
    fills = [call for call in calls if call[2]]
    assert len(fills) >= 3
    prefix = config.prefix[1:]
    music = sampled(tiny, replace(config, engine="eager"))[0]
    whole = np.concatenate([config.prefix, config.prompt, music])
    columns = structure(whole, vocabulary)
    keep = int((context - len(prefix)) * config.overlap)
    seen = context - len(config.prefix) - len(config.prompt) + 1
    tokens, given, _ = fills[1]
    assert np.array_equal(tokens[: len(prefix)], prefix)
    last = len(config.prefix) + len(config.prompt) + seen
    assert np.array_equal(tokens[len(prefix) :], whole[last - keep : last])
    assert np.array_equal(given[len(prefix) :], columns[last - keep : last])


def test_long_prompts_leave_room_for_what_comes(tiny: Checkpoint, config: SamplerConfig) -> None:
    body = np.repeat(config.prompt[-1:], 5000, axis=0)
    long = replace(config, prompt=body, not_before=12 * 5000, until=12 * 5000 + 96)
    context = tiny.config.context
    assert kept_rows(long, context) == (context - len(config.prefix)) * 3 // 4
    assert kept_rows(config, context) == len(config.prompt)
    vocabulary = tokenizer_of(tiny).vocabulary
    rows = sampled(tiny, long)[0]
    assert vocabulary.is_note(rows).any()


def test_a_recipe_gets_the_numbers_that_it_got_when_it_was_written() -> None:
    """Of each variation's generator the first row of numbers was never used."""
    uniforms = _Uniforms(7, (2, 5))
    for lane, variation in enumerate((2, 5)):
        seeds = np.random.SeedSequence([7, variation])
        expected = np.random.Generator(np.random.Philox(seeds)).random((600, 5))[1:]
        fresh = _Uniforms(7, (2, 5))
        for row in expected:
            assert np.array_equal(fresh.ahead(0)[lane], row)
            fresh.next()
        assert np.array_equal(uniforms.ahead(3)[lane], expected[3])
