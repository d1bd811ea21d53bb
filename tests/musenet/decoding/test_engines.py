"""Engines: int8 stays near eager, greedy choices agree, and every engine keeps sequences apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from musenet.decoding import int8, int8_cache, int8_reader
from musenet.decoding.cuda_graphs import GraphDecoder
from musenet.decoding.decoder import Decoder
from musenet.decoding.eager import EagerDecoder, padded_batch
from musenet.decoding.engines import ENGINES, make_decoder, resolve_engine
from musenet.model.config import ModelConfig, faithful
from musenet.model.stored import AnyModel, StoredModel, parameters_of
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError
from tokenizer.typing import Integers, Ints, Logits

FIELDS, STRUCTURE = (40, 9, 30, 7, 5), (6, 5, 7, 5, 9, 9)
CONFIG = ModelConfig(FIELDS, STRUCTURE, layers=3, heads=4, width=64, context=64, row_length=8)
DENSE = replace(CONFIG, patterns=("dense",), kv_heads=2)
LOCAL = replace(CONFIG, patterns=("local", "dense"), kv_heads=1)
TIMED, TIMED_DENSE, TIMED_LOCAL = (
    replace(config, positions="rotary_time", steps_per_quarter=24)
    for config in (CONFIG, DENSE, replace(LOCAL, kv_heads=4))
)
NETWORKS = pytest.mark.parametrize(
    "config",
    [CONFIG, DENSE, LOCAL, TIMED, TIMED_DENSE, TIMED_LOCAL],
    ids=[
        "sparse",
        "dense",
        "local and dense",
        "sparse by time",
        "dense by time",
        "local and dense by time",
    ],
)
Opened = Callable[[ModelConfig], Transformer]

needs_int8 = pytest.mark.skipif(
    int8.missing() is not None, reason="onnx and onnxruntime are not installed"
)


def rows(length: int, batch: int) -> tuple[Ints, Ints]:
    numbers = np.random.default_rng(1)
    tokens, structure = (
        np.stack([numbers.integers(0, size, (batch, length)) for size in sizes], -1)
        for sizes in (FIELDS, STRUCTURE)
    )
    time = np.cumsum(numbers.integers(0, 60, (batch, length)), 1)
    return tokens, np.concatenate([structure, time[..., None]], -1)


class Recorder:
    """Chooses what it is told to, and keeps the logits that it was shown."""

    def __init__(self, batch: int) -> None:
        self.forced: Ints = np.zeros((batch, len(FIELDS)), np.int64)
        self.columns: Integers = np.zeros((batch, len(STRUCTURE)), np.int64)
        self.seen: list[Logits] = []

    def choose(self, field: int, logits: Logits, so_far: Ints) -> Ints:
        assert np.array_equal(so_far[:, :field], self.forced[:, :field])
        self.seen.append(logits.copy())
        return self.forced[:, field]

    def peek(self, first: Ints) -> Integers:
        assert np.array_equal(first, self.forced[:, 0])
        return self.columns


@torch.inference_mode()
def logits(made: Decoder, tokens: Ints, structure: Ints, start: int) -> list[Logits]:
    """For each field [B, T, V]: what a decoder predicts of rows `start`… after those before."""
    recorder = Recorder(len(tokens))
    made.start(tokens[:, :start], structure[:, :start])
    for i in range(start, tokens.shape[1]):
        recorder.forced, recorder.columns = tokens[:, i], structure[:, i]
        assert np.array_equal(made.sample(recorder.choose, recorder.peek), tokens[:, i])
        made.advance(tokens[:, i], structure[:, i])
    assert made.position == tokens.shape[1]
    return [np.stack(recorder.seen[field :: len(FIELDS)], 1) for field in range(len(FIELDS))]


@torch.inference_mode()
def predicted(
    model: AnyModel, engine: str, tokens: Ints, structure: Ints, start: int
) -> list[Logits]:
    return logits(make_decoder(model, len(tokens), engine), tokens, structure, start)


@torch.inference_mode()
def likelihoods(model: Transformer, tokens: Ints, structure: Ints, start: int) -> Logits:
    """Nats [B, T, F] of rows `start`… from the full pass."""
    nll = model.nll(torch.from_numpy(tokens), torch.from_numpy(structure))
    return nll[:, start - 1 :].numpy()


def nats(found: list[Logits], tokens: Ints, start: int) -> Logits:
    """Nats [B, T, F] from logits."""
    answers = [torch.from_numpy(tokens[:, start:, f]) for f in range(len(FIELDS))]
    return np.stack(
        [
            torch.nn.functional.cross_entropy(
                torch.from_numpy(logit).transpose(1, 2), answer, reduction="none"
            ).numpy()
            for logit, answer in zip(found, answers, strict=True)
        ],
        -1,
    )


@NETWORKS
@pytest.mark.parametrize("start", [1, 8, 13, 37])
def test_eager_predicts_what_the_full_pass_does(
    config: ModelConfig, start: int, opened: Opened
) -> None:
    model, (tokens, structure) = opened(config), rows(60, 3)
    found = nats(predicted(model, "eager", tokens, structure, start), tokens, start)
    assert np.abs(found - likelihoods(model, tokens, structure, start)).max() < 1e-4


@NETWORKS
@pytest.mark.parametrize("start", [1, 8, 13, 37])
def test_what_graphs_record_predicts_what_the_full_pass_does(
    config: ModelConfig, start: int, opened: Opened
) -> None:
    model, (tokens, structure) = opened(config), rows(60, 3)
    made = GraphDecoder(model, 3)
    for given in (tokens[:, ::-1].copy(), tokens):  # the second begins anew
        found = nats(logits(made, given, structure, start), given, start)
        assert np.abs(found - likelihoods(model, given, structure, start)).max() < 1e-4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")
@NETWORKS
def test_graphs_replay_what_was_recorded(config: ModelConfig, opened: Opened) -> None:
    model, (tokens, structure) = opened(config), rows(60, 3)
    plain = likelihoods(model, tokens, structure, 13)
    found = nats(predicted(model.cuda(), "graphs", tokens, structure, 13), tokens, 13)
    model.cpu()
    assert np.abs(found - plain).max() < 1e-3


@needs_int8
@NETWORKS
@pytest.mark.parametrize("start", [1, 8, 13, 37])
def test_int8_predicts_nearly_what_the_full_pass_does(
    config: ModelConfig, start: int, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_cache, "_GROWTH", 16)  # buffers grow on the way
    model, (tokens, structure) = opened(config), rows(60, 3)
    found = nats(predicted(model, "int8", tokens, structure, start), tokens, start)
    error = found - likelihoods(model, tokens, structure, start)
    assert 0 < np.abs(error).max() < 0.15
    assert np.abs(error).mean() < 0.02


@needs_int8
@NETWORKS
@pytest.mark.parametrize("start", [9, 37, 60])
def test_int8_reads_many_rows_at_once_as_it_reads_one_by_one(
    config: ModelConfig, start: int, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_reader, "CHUNK", 7)
    model, (tokens, structure) = opened(config), rows(64, 2)
    at_once = predicted(model, "int8", tokens, structure, start)
    one_by_one = predicted(model, "int8", tokens, structure, 1)
    for many, single in zip(at_once, one_by_one, strict=True):
        # Sums in another order, which now and then round an activation to another of 255 steps.
        error = np.abs(many - single[:, start - 1 :])
        assert np.median(error) < 1e-5
        assert error.max() < 0.1


@needs_int8
@NETWORKS
@torch.inference_mode()
def test_int8_goes_on_with_some_sequences_as_if_none_had_been_dropped(
    config: ModelConfig, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_cache, "_GROWTH", 16)
    model, (tokens, structure) = opened(config), rows(40, 5)
    whole = logits(make_decoder(model, 5, "int8"), tokens, structure, 9)
    made, recorder = make_decoder(model, 5, "int8"), Recorder(5)
    gone = {14: [1], 20: [0, 3], 27: [2]}
    for anew in range(2):  # a window that is filled anew leaves out the same ones
        ended = np.isin(np.arange(5), [0, 1, 2, 3] if anew else [])
        recorder.seen.clear()
        made.start(tokens[:, :9], structure[:, :9])
        for i in range(9, 40):
            recorder.forced, recorder.columns = tokens[:, i], structure[:, i]
            made.sample(recorder.choose, recorder.peek)
            for field, found in enumerate(recorder.seen[-len(FIELDS) :]):
                assert np.array_equal(found[~ended], whole[field][~ended, i - 9])
            if not anew and i in gone:
                ended[gone[i]] = True
                made.drop(ended)
            made.advance(tokens[:, i], structure[:, i])


@needs_int8
def test_a_stored_model_is_decoded_as_the_module_is(opened: Opened) -> None:
    model, (tokens, structure) = opened(TIMED_LOCAL), rows(30, 2)
    stored = StoredModel(TIMED_LOCAL, {n: a.copy() for n, a in parameters_of(model).items()})
    for engine in ("int8", "eager"):
        both = [predicted(each, engine, tokens, structure, 8) for each in (model, stored)]
        for one, other in zip(*both, strict=True):
            assert np.array_equal(one, other)


@needs_int8
def test_greedy_choices_agree_unless_the_top_two_are_close(opened: Opened) -> None:
    model, (tokens, structure) = opened(CONFIG), rows(60, 2)
    pairs = zip(
        *(predicted(model, engine, tokens, structure, 1) for engine in ("eager", "int8")),
        strict=True,
    )
    for eager, rough in pairs:
        top = np.sort(eager, -1)
        clear = top[..., -1] - top[..., -2] > 2 * np.abs(eager - rough).max(-1)
        assert clear.mean() > 0.5
        assert np.array_equal(eager.argmax(-1)[clear], rough.argmax(-1)[clear])


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("engine", "tolerance"),
    [("eager", 1e-4), pytest.param("int8", 0, marks=needs_int8)],
    ids=["eager", "int8"],
)
@NETWORKS
def test_a_sequence_is_the_same_alone_and_among_others(
    config: ModelConfig, engine: str, tolerance: float, opened: Opened
) -> None:
    """Also where its beginning was read from the same prompt as the others'.

    int8 sums integers, which is exact. What order floating-point numbers are summed in depends on
    the CPU and on how many rows there are, so that eager's logits agree to the tolerance.
    """
    model, (tokens, structure) = opened(config), rows(30, 9)
    tokens[:, :5], structure[:, :5] = tokens[:1, :5], structure[:1, :5]
    together = predicted(model, engine, tokens, structure, 5)
    for first, stop in ((0, 1), (4, 5), (2, 4), (5, 8), (1, 9)):
        few = slice(first, stop)
        alone = predicted(model, engine, tokens[few], structure[few], 5)
        for mine, theirs in zip(alone, together, strict=True):
            assert np.abs(mine - theirs[few]).max() <= tolerance


@pytest.mark.parametrize("engine", ["graphs", pytest.param("int8", marks=needs_int8)])
def test_one_beginning_for_all_is_the_same_for_each(engine: str, opened: Opened) -> None:
    model, (tokens, structure) = opened(CONFIG), rows(20, 3)
    tokens[:], structure[:] = tokens[:1], structure[:1]
    with torch.inference_mode():
        # Asked for by name, graphs would be refused on a CPU.
        made = GraphDecoder(model, 3) if engine == "graphs" else make_decoder(model, 3, engine)
        each = logits(made, tokens, structure, 12)
        made.start(tokens[:1, :12], structure[:1, :12])
        recorder = Recorder(3)
        recorder.forced, recorder.columns = tokens[:, 12], structure[:, 12]
        made.sample(recorder.choose, recorder.peek)
    for first, shown in zip(each, recorder.seen, strict=True):
        assert np.array_equal(first[:, 0], shown)


@needs_int8
def test_a_decoder_begins_anew(opened: Opened) -> None:
    """Nothing of an earlier sequence is left, not even in row 0 of `previous_row`."""
    model, (tokens, structure) = opened(CONFIG), rows(40, 1)
    with torch.inference_mode():
        made = make_decoder(model, 1, "int8")
        first = logits(made, tokens[:, :20], structure[:, :20], 1)
        logits(made, tokens[:, ::-1], structure[:, ::-1], 30)
        again = logits(made, tokens[:, :20], structure[:, :20], 1)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("engine", ["eager", pytest.param("int8", marks=needs_int8)])
def test_new_weights_are_noticed_by_the_next_decoder(engine: str, opened: Opened) -> None:
    model, (tokens, structure) = opened(CONFIG), rows(9, 1)
    before = predicted(model, engine, tokens, structure, 1)
    with torch.no_grad():
        model.blocks[0].get_parameter("up").mul_(-1)
    after = predicted(model, engine, tokens, structure, 1)
    assert not np.array_equal(before[0], after[0])


def test_auto_is_int8_where_it_can_be_had(opened: Opened) -> None:
    able = int8.missing() is None
    assert resolve_engine("auto", opened(CONFIG)) == ("int8" if able else "eager")
    assert resolve_engine("eager", opened(CONFIG)) == "eager"
    assert resolve_engine("auto", opened(faithful(CONFIG))) == "eager"
    assert resolve_engine("auto", opened(replace(CONFIG, head="parallel"))) == "eager"
    with torch.device("meta"):
        assert resolve_engine("auto", Transformer(CONFIG)) == "eager"


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    with pytest.raises(InputError, match="did you mean 'int8'"):
        resolve_engine("int4", opened(CONFIG))
    monkeypatch.setattr(int8, "missing", lambda: None)
    with pytest.raises(InputError, match="does not support this network"):
        resolve_engine("int8", opened(faithful(CONFIG)))
    monkeypatch.setattr(int8, "missing", lambda: "the int8 engine needs onnx")
    with pytest.raises(InputError, match="needs onnx"):
        resolve_engine("int8", opened(CONFIG))
    assert resolve_engine("auto", opened(CONFIG)) == "eager"
    with pytest.raises(InputError, match="needs a CUDA GPU"):
        resolve_engine("graphs", opened(CONFIG))
    with pytest.raises(InputError, match="does not support this network"):
        GraphDecoder(opened(replace(CONFIG, head="parallel")), 1)
    with pytest.raises(InputError, match="does not support this network"):
        GraphDecoder(opened(replace(CONFIG, patterns=("strided",))), 1)
    assert ENGINES == ("auto", "eager", "int8", "graphs")


def test_eager_batches_are_padded_to_a_power_of_two_and_at_least_four(opened: Opened) -> None:
    assert [padded_batch(n) for n in (1, 2, 4, 5, 8, 9, 64)] == [4, 4, 4, 8, 8, 16, 64]
    with torch.inference_mode():
        assert isinstance(make_decoder(opened(CONFIG), 3, "eager"), EagerDecoder)


@needs_int8
def test_weights_lose_a_bit_where_products_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """On AVX2 without VNNI two products are added in 16 bits: 2 · 255 · 63 fits, · 127 does not."""
    int8.largest_weight.cache_clear()
    assert int8.largest_weight() in (63, 127)
    assert 2 * 255 * 63 < 2**15 <= 2 * 255 * 127
    int8.largest_weight.cache_clear()
