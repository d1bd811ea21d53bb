"""Given rows in sampling: the rule of training, lane by lane, and the right rate beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from musenet.decoding.decoder import Choose, InFlight, Peek
from musenet.decoding.eager import EagerDecoder
from musenet.model.checkpoint import Checkpoint
from musenet.model.config import ModelConfig
from musenet.model.likelihood import Batch, field_nats
from musenet.model.transformer import Transformer
from musenet.sampling import sampler as sampling
from musenet.sampling.constraints import Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.given import Stretch
from musenet.sampling.sampler import SampledRows, Sampler, SamplerConfig, rows_of
from tokenizer.chords.chord import Chord
from tokenizer.encoding.compound import Events, note_rows, row_times
from tokenizer.encoding.holes import (
    Hole,
    between,
    events_of,
    header,
    header_mask,
    no_events,
    with_header,
    woven,
)
from tokenizer.encoding.structure import GIVEN, ROLE, STRUCTURE_SIZES, WRITTEN, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.labels import Labels
from tokenizer.typing import Integers, Ints, Mask, Tokens

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


def sampled(checkpoint: Checkpoint, config: SamplerConfig) -> list[SampledRows]:
    return list(Sampler(checkpoint.model, checkpoint.tokenizer.vocabulary, config).sample())


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


def inputs(
    checkpoint: Checkpoint, config: SamplerConfig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Tokens, Integers]]:
    """The windows that the decoder reads for the first variation, each whole."""
    windows: list[list[tuple[Integers, Integers]]] = []
    start, advance = EagerDecoder.start, EagerDecoder.advance

    def started(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        windows.append(list(zip(rows[0], columns[0], strict=True)))
        start(decoder, rows, columns)

    def advanced(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        windows[-1].append((rows[0], columns[0]))
        advance(decoder, rows, columns)

    monkeypatch.setattr(EagerDecoder, "start", started)
    monkeypatch.setattr(EagerDecoder, "advance", advanced)
    sampled(checkpoint, replace(config, engine="eager"))
    for window in windows:
        rows, columns = zip(*window, strict=True)
        yield np.array(rows, np.int16), np.array(columns)


def test_windows_past_the_context_say_the_header_again(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = tiny.tokenizer.vocabulary
    end = 40 * BAR
    given = part(128, list(range(0, end, 24)), 38)
    after = part(0, [end, end + 24], 72)
    hole = Hole(0, end, (0,), given, after)
    config = config_of((Stretch.of(hole),), variations=(0, 1))
    windows = list(inputs(tiny, config, monkeypatch))
    assert len(windows) > 2
    for number, (rows, columns) in enumerate(windows):
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        backs = np.flatnonzero(rows[:, WAIT] == vocabulary.return_)
        assert len(marks) == len(backs) == 1
        told = slice(int(marks[0]), int(backs[0]) + 2)
        assert (columns[told, ROLE] == GIVEN).all()
        # True times: the mark stands where the clock stands, what comes after the hole behind it.
        assert columns[marks[0], -1] == columns[backs[0], -1]
        notes = np.arange(len(rows))[told][rows[told, 1] > 0]
        assert columns[notes, -1].tolist() == after.times.tolist()
        prefix = vocabulary.prefix_length(rows)
        music = rows[prefix:]
        origin = int(columns[prefix, -1] - vocabulary.steps[music[0, WAIT]])
        assert (columns[prefix:, -1] - origin).tolist() == row_times(music, vocabulary).tolist()
        if number == 0:  # from the beginning everything must be as the whole piece's structure
            roles = columns[:, ROLE]
            again = structure(rows, vocabulary, roles=roles[:])
            np.testing.assert_array_equal(again[:, :-1], columns[:, :-1])


def chords_at(times: list[int]) -> Events:
    """A chord of C at the first time, then up a semitone at each."""
    values = [VOCABULARY.control(Chord(n % 12, "maj").control) for n in range(len(times))]
    return replace(no_events(), control_times=np.array(times), controls=np.array(values))


@pytest.mark.parametrize("hole", [False, True])
@pytest.mark.parametrize("long_prompt", [False, True])
def test_windows_past_the_context_say_the_chord_that_holds(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch, hole: bool, long_prompt: bool
) -> None:
    """As training does with passages from the middle of a piece."""
    vocabulary = tiny.tokenizer.vocabulary
    begin, end = 4 * BAR, 60 * BAR
    changes = list(range(0, end, 7 * BAR))
    chords = chords_at(changes)
    past = part(0, list(range(0, begin, 1 if long_prompt else 24)))
    prompt, given = woven(between(chords, 0, begin), past, 0, vocabulary)
    drums = part(128, list(range(begin, end, 24)), 38)
    later = between(chords, begin, end)
    stands = replace(drums, control_times=later.control_times, controls=later.controls)
    after = part(0, [end, end + 24], 72)
    stretch = Stretch(begin, end, stands)
    if hole:
        stretch = Stretch.of(Hole(begin, end, (0,), stands, after))
    config = config_of(
        (stretch,), prompt=prompt, roles=np.where(given, GIVEN, WRITTEN), variations=(0,)
    )
    windows = list(inputs(tiny, config, monkeypatch))
    assert len(windows) > 2
    for rows, columns in windows:
        prefix = vocabulary.prefix_length(rows)
        music, places = rows[prefix:], columns[prefix:]
        origin = int(places[0, -1] - vocabulary.steps[music[0, WAIT]])
        # The rows alone say where everything stands.
        assert (places[:, -1] - origin).tolist() == row_times(music, vocabulary).tolist()
        said = np.flatnonzero(vocabulary.chords[music[:, WAIT]])
        assert (places[said, ROLE] == GIVEN).all()
        holds = -1
        told = header_mask(music, vocabulary)
        for row, place, inside in zip(music, places, told, strict=True):
            now = int(place[-1])
            if vocabulary.chords[row[WAIT]]:
                holds = int(row[WAIT])
            elif row[1] and not inside and now >= begin:
                index = np.searchsorted(changes, now, side="right") - 1
                assert holds == chords.controls[index]


@pytest.mark.parametrize("overlap", [0.1, 0.5])
def test_a_header_that_a_small_context_cannot_hold_tells_less(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch, overlap: float
) -> None:
    """All 128 notes after the hole would fill what a window of 256 rows keeps."""
    vocabulary = tiny.tokenizer.vocabulary
    end = 60 * BAR
    after = part(0, list(range(end, end + 128)), 72)
    given = part(128, list(range(0, end, 16)), 38)
    config = config_of(
        (Stretch.of(Hole(0, end, (0,), given, after)),), variations=(0,), overlap=overlap
    )
    windows = list(inputs(tiny, config, monkeypatch))
    assert len(windows) > 2
    for rows, columns in windows:
        assert len(rows) <= tiny.model.context_rows
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        backs = np.flatnonzero(rows[:, WAIT] == vocabulary.return_)
        assert len(marks) == len(backs) == 1
        told = np.arange(len(rows))[int(marks[0]) : int(backs[0])]
        notes = told[rows[told, 1] > 0]
        assert backs[0] - marks[0] < overlap * tiny.model.context_rows / 2
        # What is told are the first notes after the hole, none left out.
        assert columns[notes, -1].tolist() == after.times.tolist()[: len(notes)]


def test_the_header_of_a_later_hole_is_fed_once(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many windows the way to it takes."""
    vocabulary = tiny.tokenizer.vocabulary
    first = Hole(0, BAR, (0,), no_events(), no_events())
    second = Hole(20 * BAR, 21 * BAR, (0,), no_events(), part(0, [21 * BAR], 72))
    way = part(0, list(range(BAR, 20 * BAR, 4)), 72)
    stretches = (Stretch.of(first), Stretch.of(second, way))
    windows = list(inputs(tiny, config_of(stretches, variations=(0,)), monkeypatch))
    assert len(windows) > 2
    for rows, columns in windows:
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        assert len(marks) <= 2
        assert columns[marks[1:], -1].tolist() == [20 * BAR - 4] * len(marks[1:])
    last = windows[-1][0]
    assert (last[:, WAIT] == vocabulary.mark).sum() == 1


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
