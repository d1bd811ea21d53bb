"""Rows of every head are valid, those too that are begun before the row before them is whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from musenet.decoding.decoder import InFlight
from musenet.model.codebook_patterns import INTERLEAVINGS
from musenet.model.transformer import Transformer
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.grammar import Grammar
from musenet.sampling.history import History
from musenet.sampling.processors.instrument_balance import InstrumentBalance
from musenet.sampling.processors.loop_penalty import LoopPenalty
from musenet.sampling.processors.processor import RowState
from musenet.sampling.processors.style_penalty import StylePenalty
from musenet.sampling.sampler import Sampler, SamplerConfig, rows_of
from tokenizer.encoding.structure import StructureState
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH
from tokenizer.labels import Labels
from tokenizer.typing import Logits, Mask, Tokens

TOKENIZER = Tokenizer.default()
VOCABULARY = TOKENIZER.vocabulary
PROMPT = np.array(
    [[1, 1, 61, 13, 20], [1, 41, 70, 25, 20], [13, 1, 63, 13, 18], [13, 41, 72, 13, 21]], np.int16
)


def made(model: Transformer, constraints: Constraints, until: int = 36 + 48) -> list[Tokens]:
    config = SamplerConfig(
        prefix=TOKENIZER.prefix(Labels(instruments=(0, 40), time_signature=(3, 4), tempo=90)),
        prompt=PROMPT,
        not_before=36,
        until=until,
        filters=(FieldFilter(),) * 5,
        constraints=constraints,
        processors=(InstrumentBalance(), StylePenalty(), LoopPenalty()),
        seed=5,
        variations=(1, 2, 3),
    )
    steps = list(Sampler(model, VOCABULARY, config).sample())
    return [rows_of(steps, lane) for lane in range(3)]


def check(rows: Tokens, constraints: Constraints) -> None:
    """Push all rows through the grammar: each of their values is among those allowed."""
    grammar = Grammar(VOCABULARY, constraints, 1, not_before=36, prompt=PROMPT)
    state = StructureState(VOCABULARY, 1)
    for row in PROMPT:
        state.push(row[None])
    for row in rows[:, None]:
        for field in range(5):
            begun = row.copy()
            begun[:, field:] = 0
            time = state.time + VOCABULARY.steps[begun[:, 0]]
            allowed = grammar.allowed(field, RowState.of(begun, time, VOCABULARY))
            assert allowed[0, row[0, field]], (field, row)
        state.push(row)
        grammar.push(RowState.of(row, state.time, VOCABULARY))


@pytest.mark.parametrize("head", INTERLEAVINGS)
@pytest.mark.parametrize(
    "constraints",
    [Constraints(), Constraints(programs=(0, 40), unisons=False, pitch_classes=(0,))],
    ids=["free", "narrow"],
)
def test_sampled_rows_are_valid(
    head: str, constraints: Constraints, model_for: Callable[..., Transformer]
) -> None:
    """With random weights and short waits, so that many notes stand at one time."""
    model = model_for(TOKENIZER, noise=0.1, context=512, head=head, patterns=("dense",))
    with torch.no_grad():
        # A channel that is the same everywhere takes from each wait the more the longer it is.
        model.embedding.weight[:, 0] = 0.5
        for block in model.blocks:
            for name in ("out", "down"):
                block.get_parameter(name)[0] = 0
        first = model.head.get_parameter("out.0")
        first.zero_()
        first[:, 0] = -0.3 * torch.arange(len(first))
    rows = made(model, constraints)
    assert sum(len(r) for r in rows) > 20
    for lane in rows:
        check(lane, constraints)
        assert (lane[:, 0] == 1).sum() > 10


def history() -> History:
    constraints = Constraints(programs=(0, 1), in_range=False)
    grammar = Grammar(VOCABULARY, constraints, 1)
    return History(VOCABULARY, StructureState(VOCABULARY, 1), grammar, [])


def test_a_row_in_flight_leaves_room_for_the_note_that_was_begun_above_it() -> None:
    """Of two notes at one time the first may not take the last instrument's last pitch."""
    first = np.array([[1, 2, 0, 0, 0]])
    logits = np.zeros((1, 129))
    for next_first, last in ((None, True), (np.array([2]), True), (np.array([1]), False)):
        _, allowed = history().process(PITCH, logits, first, next_first)
        assert allowed[0, 128] == last
        assert allowed[0, 1:128].all()


def test_processors_are_told_where_in_its_bar_a_row_begins() -> None:
    """In 3/4, from a prefix, with waits over bar lines."""
    seen: list[list[int] | None] = []

    class Listener:
        def apply(self, _field: int, logits: Logits, _allowed: Mask, state: RowState) -> Logits:
            seen.append(None if state.position is None else state.position.tolist())
            return logits

        def push(self, state: RowState) -> None:
            self.apply(0, np.empty(0), np.empty(0, bool), state)

    past = history()
    for row in TOKENIZER.prefix(Labels(time_signature=(3, 4)))[:, None]:
        past.structure.push(row)
    past.processors.append(Listener())
    time, bar = 0, 3 * VOCABULARY.grid.beat
    for steps in (0, 7, 0, 30, 95, 11):
        time += steps
        row = np.array([[1 + steps, 2, 61, 13, 20]], np.int16)
        seen.clear()
        past.process(INSTRUMENT, np.zeros((1, 130)), np.array([[1 + steps, 0, 0, 0, 0]]))
        past.push(row)
        assert seen == [[time % bar + 1]] * 2


def test_a_copy_goes_ahead_and_the_history_stays() -> None:
    past = history()
    assert past.ahead(InFlight()) is past
    ahead = past.ahead(InFlight((np.array([[13, 2, 0, 0, 0]]),), (2,)))
    assert ahead.structure.time.tolist() == [12]
    assert past.structure.time.tolist() == [0]
    state = RowState.of(np.array([[1, 2, 0, 0, 0]]), ahead.structure.time, VOCABULARY)
    pitches = ahead.grammar.allowed(PITCH, state)[0]
    assert np.flatnonzero(pitches)[0] == 2, "above the lowest, which stands for the missing one"
