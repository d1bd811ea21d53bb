"""Given rows in sampling: the rule of training, lane by lane, and the right rate beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from musenet.decoding.decoder import Choose, InFlight, Peek
from musenet.model.checkpoint import Checkpoint
from musenet.model.config import ModelConfig
from musenet.model.likelihood import Batch, field_nats
from musenet.model.transformer import Transformer
from musenet.sampling import sampler as sampling
from musenet.sampling.constraints import Constraints
from musenet.sampling.given import Stretch
from musenet.sampling.sampler import Sampler, rows_of
from tokenizer.encoding.compound import Events, row_times
from tokenizer.encoding.holes import (
    Hole,
    events_of,
    header,
    no_events,
    with_header,
    woven,
)
from tokenizer.encoding.structure import ROLE, STRUCTURE_SIZES, WRITTEN, structure
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.typing import Integers, Ints, Mask

from .conftest import BAR, VOCABULARY, config_of, part, sampled


class Process:
    """A decoder without a network: a note in every step with a chance, one at most.

    As a network that has learned the survival term, it takes given rows for what they are: no note
    came before them, and one may still come in the same step.
    """

    in_flight = InFlight()
    position = 0

    def __init__(self, batch: int, hazard: float, vocabulary: Vocabulary = VOCABULARY) -> None:
        self._batch = batch
        self._sizes = vocabulary.sizes
        steps = vocabulary.steps[: vocabulary.first_rest + 1].astype(float)
        waits, rest = np.arange(1, vocabulary.first_rest), vocabulary.first_rest
        self._logits = np.full((2, vocabulary.sizes[0]), -60.0)
        for row, first in enumerate((0, 1)):  # after anything, and after a note that was written
            possible = waits[first:]
            self._logits[row, possible] = np.log(hazard) + (steps[possible] - first) * np.log(
                1 - hazard
            )
            self._logits[row, rest] = (steps[rest] - first) * np.log(1 - hazard)
        self._after_note = np.zeros(batch, dtype=np.int64)

    def start(self, rows: Integers, columns: Integers) -> None:
        """The first row comes after a header."""

    def advance(self, rows: Integers, columns: Integers) -> None:
        """Remember whether a note was written."""
        self._after_note = ((rows[:, 1] > 0) & (columns[:, ROLE] == WRITTEN)).astype(np.int64)

    def drop(self, ended: Mask) -> None:
        """Every sequence goes on."""

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        rows = np.zeros((self._batch, 5), np.int64)
        for field, size in enumerate(self._sizes):
            logits = self._logits[self._after_note] if field == 0 else np.zeros((self._batch, size))
            rows[:, field] = choose(field, logits, rows)
            if field == 0:
                peek(rows[:, 0])
        return rows


@pytest.mark.parametrize("every", [0, 5, 12, 40])
def test_written_notes_come_at_their_rate_whatever_is_given(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """A process that writes a note in each step with chance h writes h per step beside any part."""
    hazard, steps, lanes = 0.05, 20_000, 4
    given = part(128, list(range(0, steps, every)) if every else [], 35)
    monkeypatch.setattr(sampling, "make_decoder", lambda *_: Process(lanes, hazard))
    hole = Hole(0, steps, (0,), given, no_events())
    config = config_of((Stretch.of(hole),), variations=tuple(range(lanes)))
    monkeypatch.setattr(type(tiny.model), "context_rows", 10**9)
    made = list(Sampler(tiny.model, VOCABULARY, config).sample())
    for lane in range(lanes):
        written = [one for one in made if one.live[lane] and one.written[lane]]
        notes = sum(int(one.rows[lane, 1] > 0) for one in written)
        # Notes a step apart at least: the rate of a Bernoulli process, within five deviations.
        expected, deviation = hazard * steps, (hazard * (1 - hazard) * steps) ** 0.5
        assert abs(notes - expected) < 5 * deviation
        fed = np.array([one.rows[lane] for one in made if one.live[lane] and not one.written[lane]])
        assert int((fed[:, 1] == 129).sum() if len(fed) else 0) == len(given.times)


@pytest.mark.parametrize("bars", [2, 24])
def test_sampled_rows_are_those_that_training_would_show(tiny: Checkpoint, bars: int) -> None:
    """Given and written notes of each lane, woven anew as training does, are the rows sampled."""
    vocabulary = tiny.tokenizer.vocabulary
    begin, end = 2 * BAR, (2 + bars) * BAR
    past = part(0, list(range(0, 2 * BAR, 24)))
    given = part(128, [begin, begin + 5, begin + 5 + 97, end - 1, *range(begin + 300, end - 1, 31)])
    given = replace(given, times=np.sort(given.times))
    after = part(0, [end, end + 40], 72)
    hole = Hole(begin, end, (0,), given, after)
    prompt, _ = woven(no_events(), past, 0, vocabulary)
    config = config_of((Stretch.of(hole),), prompt=prompt, engine="eager")
    made = sampled(tiny, config)
    opening = header(hole, int(past.times[-1]), vocabulary)
    for lane in range(3):
        rows = rows_of(made, lane)
        mask = np.array([one.written[lane] for one in made if one.live[lane]])
        times = int(past.times[-1]) + row_times(rows, vocabulary)
        written = events_of(rows[mask], times[mask], vocabulary)
        assert len(written.times)
        assert written.times.min() >= begin
        assert written.times.max() < end
        assert set(written.notes[:, 1]) == {1}
        again, given_rows = woven(given, written, int(past.times[-1]), vocabulary)
        # Written rests that lead to nothing written are kept; all else is the same.
        assert np.array_equal(again[:, 1:][vocabulary.is_note(again)], rows[rows[:, 1] > 0][:, 1:])
        at = times[rows[:, 1] > 0]
        expected = np.sort(np.concatenate([given.times, written.times]))
        assert np.array_equal(at, expected)
        kinds = mask[rows[:, 1] > 0]
        assert np.array_equal(~kinds, given_rows[vocabulary.is_note(again)])
    assert vocabulary.name(int(opening[0, WAIT])) == "mark"


def test_holes_one_after_another_with_the_music_between_them(tiny: Checkpoint) -> None:
    vocabulary = tiny.tokenizer.vocabulary
    first = Hole(BAR, 2 * BAR, (0,), part(128, [BAR, BAR + 50]), part(0, [2 * BAR], 72))
    told = part(0, [4 * BAR + 2, 5 * BAR], 72)
    second = Hole(3 * BAR, 4 * BAR, (0,), part(128, [3 * BAR + 7]), told)
    between = part(0, [2 * BAR, 2 * BAR + 48, 3 * BAR - 1], 72)
    prompt, _ = woven(no_events(), part(0, [0, 48]), 0, vocabulary)
    stretches = (Stretch.of(first), Stretch.of(second, between))
    made = sampled(tiny, config_of(stretches, prompt=prompt, engine="eager"))
    for lane in range(3):
        live = [one for one in made if one.live[lane]]
        rows = np.array([one.rows[lane] for one in live])
        written = np.array([one.written[lane] for one in live])
        times = np.array([int(one.times[lane]) for one in live])
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        backs = np.flatnonzero(rows[:, WAIT] == vocabulary.return_)
        assert len(marks) == len(backs) == 1
        header_rows = slice(int(marks[0]), int(backs[0]))
        assert times[header_rows][rows[header_rows, 1] > 0].tolist() == told.times.tolist()
        assert times[backs[0]] == times[marks[0]]
        note = rows[:, 1] > 0
        note[header_rows] = False
        drawn = times[written & note]
        assert (
            ((drawn >= BAR) & (drawn < 2 * BAR)) | ((drawn >= 3 * BAR) & (drawn < 4 * BAR))
        ).all()
        assert (drawn < 2 * BAR).any()
        assert (drawn >= 3 * BAR).any()
        fed = times[~written & note].tolist()
        assert fed == [BAR, BAR + 50, 2 * BAR, 2 * BAR + 48, 3 * BAR - 1, 3 * BAR + 7]
        names = [vocabulary.name(v) for v in rows[:, 0] if v >= vocabulary.first_control]
        assert names == ["mark", "return", "instrument:0"]


@pytest.mark.parametrize("head", ["delay", "flatten", "parallel"])
def test_every_head_is_fed(tiny: Checkpoint, head: str) -> None:
    torch.manual_seed(0)
    other = Transformer(replace(tiny.config, head=head)).eval()
    vocabulary = tiny.tokenizer.vocabulary
    given = part(128, [3, 3, 30, 77, 150], 38)
    given = replace(given, notes=given.notes + np.array([0, 0, 1, 0, 0], np.int16) * 0)
    hole = Hole(0, 2 * BAR, (0,), given, no_events())
    config = config_of((Stretch.of(hole),), engine="eager")
    made = list(Sampler(other, vocabulary, config).sample())
    for lane in range(3):
        live = [one for one in made if one.live[lane]]
        fed = [
            (int(one.times[lane]), *one.rows[lane, 1:].tolist())
            for one in live
            if not one.written[lane] and one.rows[lane, 1]
        ]
        expected = np.column_stack([given.times, given.notes[:, 1:]]).tolist()
        assert fed == [tuple(row) for row in expected]
        assert any(one.written[lane] and one.rows[lane, 1] == 1 for one in live)


def test_a_written_note_never_doubles_a_given_one(tiny: Checkpoint) -> None:
    """Same instrument, same pitch, same time: that note is there already."""
    given = part(0, list(range(0, 8 * BAR, 2)), 60)
    hole = Hole(0, 8 * BAR, (0,), given, no_events())
    limits = Constraints(programs=(0,), pitch_classes=(0,))
    config = config_of((Stretch.of(hole),), constraints=limits, engine="eager")
    made = sampled(tiny, config)
    taken = set(given.times.tolist())
    for lane in range(3):
        for one in made:
            if one.live[lane] and one.written[lane] and one.rows[lane, 2] == 61:
                assert int(one.times[lane]) not in taken


def test_roles_are_written_where_nothing_is_given(tiny: Checkpoint) -> None:
    columns = structure(part(0, [0, 24]).notes + np.int16(1), tiny.tokenizer.vocabulary)
    assert set(columns[:, ROLE].tolist()) == {WRITTEN}


HAZARD = 0.05


def toy_passage(random: np.random.Generator, steps: int) -> tuple[Events, Events]:
    """A given drum at random gaps of 1 to 40 steps, and a piano note in each step with a chance."""
    gaps = np.cumsum(random.integers(1, 40, steps))
    written = np.flatnonzero(random.random(steps) < HAZARD)
    return part(128, gaps[gaps < steps].tolist(), 38), part(0, written.tolist())


def trained(term: bool) -> Transformer:
    """A small network that has learned the toy process, with the survival term or without."""
    torch.manual_seed(0)
    config = ModelConfig(
        VOCABULARY.sizes,
        STRUCTURE_SIZES,
        layers=1,
        heads=2,
        width=32,
        context=256,
        patterns=("dense",),
        end_value=VOCABULARY.end,
    )
    model, random = Transformer(config), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(160):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 160)
        tokens, columns = [], []
        for _ in range(8):
            given, written = toy_passage(random, 4_000)
            hole = Hole(0, 4_000, (0,), given, no_events())
            rows, roles = with_header(hole, written, 0, VOCABULARY)
            tokens.append(rows[:257])
            columns.append(structure(rows[:257], VOCABULARY, roles=roles[:257]))
        rows, places = np.stack(tokens), np.stack(columns)
        written_rows = places[..., ROLE] == WRITTEN
        counted = np.repeat(written_rows[..., None], 5, axis=-1) & (rows > 0)
        counted[..., 0] |= term & (VOCABULARY.steps[rows[..., 0]] > 0)
        batch = Batch(
            torch.from_numpy(rows.astype(np.int64)),
            torch.from_numpy(places.astype(np.int64)),
            torch.from_numpy(counted),
        )
        torch.autograd.backward(field_nats(model, batch).sum() / batch.notes)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@pytest.mark.slow
def test_a_trained_network_writes_at_the_right_rate_beside_given_rows() -> None:
    rates = {}
    given, _ = toy_passage(np.random.default_rng(9), 4_000)
    for term in (True, False):
        stretches = (Stretch.of(Hole(0, 4_000, (0,), given, no_events())),)
        config = config_of(stretches, variations=(0, 1, 2, 3), engine="eager")
        made = list(Sampler(trained(term), VOCABULARY, config).sample())
        notes = sum(int((one.live & one.written & (one.rows[:, 1] > 0)).sum()) for one in made)
        rates[term] = notes / (4 * 4_000)
    assert rates[True] == pytest.approx(HAZARD, rel=0.15), rates
    assert rates[False] > 1.3 * HAZARD, rates
