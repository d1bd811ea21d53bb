"""Bits of single notes: they add up to the evaluation's, and each is −log₂ of its probability."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musenet.api import Model, load
from musenet.evaluation.inputs import find_pieces
from musenet.evaluation.likelihood import Conditions, score
from musenet.model.checkpoint import save_checkpoint
from musenet.model.transformer import Transformer
from tokenizer import InputError, Score, Tokenizer, read
from tokenizer.encoding.vocabulary import FIELDS

PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"


@pytest.fixture(scope="module")
def model(model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory) -> Model:
    tokenizer = Tokenizer.default()
    folder = tmp_path_factory.mktemp("bits") / "tiny"
    save_checkpoint(folder, model_for(tokenizer, noise=0.1, context=128), tokenizer, {})
    return load(folder)


@pytest.mark.parametrize("name", ["folk", "pop", "drums_and_bass"])
@pytest.mark.parametrize("labels", [False, True])
def test_they_add_up_to_the_evaluation(model: Model, name: str, labels: bool) -> None:
    found = model.score(PROMPTS / f"{name}.mid", labels=labels)
    checkpoint = model.checkpoint
    pieces = find_pieces([PROMPTS / f"{name}.mid"], checkpoint.tokenizer, "test").pieces
    expected = score(
        checkpoint.model,
        checkpoint.tokenizer,
        pieces,
        context=128,
        conditions=Conditions(labels=labels),
    )
    assert found.bits_per_note == pytest.approx(expected.bits_per_note, rel=1e-6)
    assert len(found.table) == expected.notes.sum()
    fields = sum(found.table[f"{name}_bits"].to_numpy() for name in FIELDS)
    np.testing.assert_allclose(fields, found.table["bits"].to_numpy())
    assert f"{found.bits_per_note:.3f} bits each" in repr(found)


def test_the_notes_are_those_of_the_file(model: Model) -> None:
    file = read(PROMPTS / "pop.mid")
    table = model.score(file).table
    order = np.lexsort((file.notes["pitch"], file.notes["program"], file.notes["start"]))
    grid = file.ticks_per_quarter / 24
    assert table["pitch"].to_pylist() == file.notes["pitch"][order].tolist()
    assert table["program"].to_pylist() == file.notes["program"][order].tolist()
    assert np.abs(table["tick"].to_numpy() - file.notes["start"][order]).max() <= grid / 2
    np.testing.assert_allclose(table["second"].to_numpy(), file.seconds(table["tick"].to_numpy()))


def test_the_bits_are_those_of_the_logits(model: Model) -> None:
    tokens = model.checkpoint.tokenizer.encode(read(PROMPTS / "folk.mid"))[:100]
    body = model.checkpoint.tokenizer.decode(tokens)
    tokens = model.checkpoint.tokenizer.encode(body)
    logits = model.logits(body)
    table = model.score(body, labels=True, length=True).table
    row = int(np.flatnonzero(model.checkpoint.tokenizer.vocabulary.is_note(tokens))[7])
    bits = [
        -float(each[row - 1].log_softmax(-1)[int(value)]) / np.log(2)
        for each, value in zip(logits, tokens[row], strict=True)
    ]
    assert [table[f"{name}_bits"][7].as_py() for name in FIELDS] == pytest.approx(bits, rel=1e-4)


def test_what_cannot_be_scored_is_said(model: Model) -> None:
    with pytest.raises(InputError, match="no notes to score"):
        model.score(Score())
    with pytest.raises(InputError, match="has 200 rows, and the model reads 129"):
        model.logits(np.ones((200, 5), dtype=np.int16))
    for field, value in ((2, 129), (0, 9999), (0, -1)):
        wrong = np.ones((4, 5), dtype=np.int16)
        wrong[2, field] = value
        with pytest.raises(InputError, match=f"field {FIELDS[field]} of row 2 .* is {value};"):
            model.logits(wrong)
