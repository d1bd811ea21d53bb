"""Heads whose fields come from several steps: what is drawn is what the full pass predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from musenet.decoding import cuda_graphs, int8
from musenet.decoding.delayed import DelayedDecoder
from musenet.decoding.engines import make_decoder
from musenet.model.codebook_patterns import INTERLEAVINGS
from musenet.model.config import POSITIONS, ModelConfig, faithful
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError
from tokenizer.typing import Integers, Ints, Logits

FIELDS, STRUCTURE = (11, 7, 6, 5, 4), (5, 4, 6, 3, 8, 8)
Opened = Callable[[ModelConfig], Transformer]


def config(head: str, fields: tuple[int, ...] = FIELDS) -> ModelConfig:
    return ModelConfig(
        fields,
        STRUCTURE,
        layers=2,
        heads=2,
        width=16,
        context=96,
        patterns=("dense",),
        head=head,
    )


def random_rows(count: int, batch: int) -> tuple[Ints, Ints]:
    numbers = np.random.default_rng(1)
    tokens, structure = (
        np.stack([numbers.integers(0, size, (batch, count)) for size in sizes], -1)
        for sizes in (FIELDS, STRUCTURE)
    )
    time = np.cumsum(numbers.integers(0, 60, (batch, count)), 1)
    return tokens, np.concatenate([structure, time[..., None]], -1)


@torch.inference_mode()
def found(model: Transformer, tokens: Ints, structure: Ints, begun: int, start: int) -> Logits:
    """Nats [B, T, F] of rows `begun`… as a decoder that starts with `start` sequences sees them."""
    made = make_decoder(model, len(tokens), "auto")
    nats = np.zeros((len(tokens), tokens.shape[1] - begun, len(FIELDS)))
    counts = [begun] * len(FIELDS)

    def choose(field: int, logits: Logits, rows: Ints) -> Ints:
        row = counts[field]
        counts[field] += 1
        flight = made.in_flight
        assert row == made.position + len(flight.before)
        for back, (earlier, drawn) in enumerate(zip(flight.before, flight.drawn, strict=True)):
            true = tokens[:, min(made.position + back, tokens.shape[1] - 1)]
            if made.position + back < tokens.shape[1]:
                assert np.array_equal(earlier[:, :drawn], true[:, :drawn])
        if row >= tokens.shape[1]:
            return np.zeros(len(tokens), np.int64)
        assert np.array_equal(rows[:, :field], tokens[:, row, :field])
        if flight.next_first is not None and row + 1 < tokens.shape[1]:
            assert np.array_equal(flight.next_first, tokens[:, row + 1, 0])
        values = tokens[:, row, field]
        logs = torch.from_numpy(logits).log_softmax(-1).numpy()
        nats[:, row - begun, field] = -logs[np.arange(len(logs)), values]
        return values

    def peek(first: Ints) -> Integers:
        row = counts[0] - 1
        return structure[:, min(row, structure.shape[1] - 1)]

    made.start(tokens[:start, :begun], structure[:start, :begun])
    for row in range(begun, tokens.shape[1]):
        assert np.array_equal(made.sample(choose, peek), tokens[:, row])
        made.advance(tokens[:, row], structure[:, row])
    assert made.position == tokens.shape[1]
    return nats


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("begun", [1, 6])
@pytest.mark.parametrize("head", INTERLEAVINGS)
def test_a_decoder_predicts_what_the_full_pass_does(
    head: str, begun: int, positions: str, opened: Opened
) -> None:
    shape = replace(config(head), positions=positions, steps_per_quarter=24)
    model = opened(faithful(shape) if positions == "learned" else shape)
    tokens, structure = random_rows(11, 2)
    nats = found(model, tokens, structure, begun, 2)
    with torch.no_grad():
        expected = model.nll(torch.from_numpy(tokens), torch.from_numpy(structure)).numpy()
    assert np.abs(nats - expected[:, begun - 1 :]).max() < 1e-4


@pytest.mark.parametrize("head", INTERLEAVINGS)
def test_one_beginning_serves_all(head: str, opened: Opened) -> None:
    model, (tokens, structure) = opened(config(head)), random_rows(8, 3)
    tokens[:, :4], structure[:, :4] = tokens[:1, :4], structure[:1, :4]
    each, one = (found(model, tokens, structure, 4, start) for start in (3, 1))
    assert np.abs(each - one).max() < 1e-4


@pytest.mark.parametrize("head", INTERLEAVINGS)
def test_samples_are_as_frequent_as_the_model_says(head: str, opened: Opened) -> None:
    """Two rows of two fields of few values: the likelihood of all that can come, and what comes."""
    sizes, lanes, rounds = (3, 2), 1024, 10
    model = opened(config(head, sizes))
    with torch.no_grad():
        for weight in model.head.parameters():
            weight.mul_(6)
    beginning = np.array([[[1, 1], [2, 0]]])
    # With `delay` field 0 of a third row is drawn before the second is whole: sum over its values.
    values = [range(3), range(2), range(3), range(2), range(3), range(1)]
    futures = np.array(list(product(*values))).reshape(-1, 3, 2)
    pieces = np.concatenate([np.repeat(beginning, len(futures), 0), futures], 1)
    columns = np.zeros((len(futures), 5, len(STRUCTURE)), np.int64)
    with torch.no_grad():
        nats = model.nll(torch.from_numpy(pieces), torch.from_numpy(columns))[:, 1:]
    nats[:, 2, 1] = 0
    expected = torch.exp(-nats.sum((1, 2))).view(36, 3).sum(1).numpy()
    assert expected.sum() == pytest.approx(1, abs=1e-5)
    numbers = np.random.default_rng(0)

    def choose(_: int, logits: Logits, __: Ints) -> Ints:
        shares = torch.from_numpy(logits).softmax(-1).numpy().cumsum(-1)
        return (shares[:, :-1] < numbers.random((lanes, 1))).sum(-1)

    def peek(first: Ints) -> Integers:
        return np.zeros((len(first), len(STRUCTURE)), np.int64)

    made, counts = make_decoder(model, lanes, "auto"), np.zeros(36)
    with torch.inference_mode():
        for _ in range(rounds):
            made.start(beginning, columns[:1, :2])
            first = made.sample(choose, peek)
            made.advance(first, peek(first[:, 0]))
            second = made.sample(choose, peek)
            index = ((first[:, 0] * 2 + first[:, 1]) * 3 + second[:, 0]) * 2 + second[:, 1]
            np.add.at(counts, index, 1)
    assert np.abs(counts / counts.sum() - expected).sum() / 2 < 0.05
    assert np.abs(expected - 1 / 36).sum() / 2 > 0.1, "otherwise any sampler would pass"


@pytest.mark.parametrize("head", ["delay", "flatten"])
def test_other_rows_than_those_drawn_are_taken_in(head: str, opened: Opened) -> None:
    model, (tokens, structure) = opened(config(head)), random_rows(9, 2)
    expected = found(model, tokens, structure, 5, 2)
    made = make_decoder(model, 2, "auto")

    def peek(_: Ints) -> Integers:
        return structure[:, 0]

    seen: list[Logits] = []

    def note(field: int, logits: Logits, _: Ints) -> Ints:
        if field == 0:
            seen.append(logits)
        return np.zeros(2, np.int64)

    with torch.inference_mode():
        made.start(tokens[:, :3], structure[:, :3])
        for row in (3, 4):
            made.sample(lambda field, logits, rows: np.ones(2, np.int64), peek)
            made.advance(tokens[:, row], structure[:, row])
        made.sample(note, peek)
    logs = torch.from_numpy(seen[0]).log_softmax(-1).numpy()
    assert np.allclose(-logs[[0, 1], tokens[:, 5, 0]], expected[:, 0, 0], atol=1e-4)


def test_a_cascade_is_not_sampled_in_steps(opened: Opened) -> None:
    with pytest.raises(InputError, match="supports only parallel, delay and flatten"):
        DelayedDecoder(opened(config("cascade")), 1)


@pytest.mark.parametrize("head", ["delay", "flatten"])
def test_auto_takes_the_decoder_of_the_head(head: str, opened: Opened) -> None:
    model = opened(config(head))
    assert isinstance(make_decoder(model, 1, "auto"), DelayedDecoder)
    assert model.context_rows == {"delay": 92, "flatten": 19}[head]
    for hindrance in (int8.hindrance, cuda_graphs.hindrance):
        assert "use --engine auto" in str(hindrance(model))
    with pytest.raises(InputError, match=f"int8 engine supports only the cascade head, not {head}"):
        make_decoder(model, 1, "int8")
