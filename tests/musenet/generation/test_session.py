"""From prompt to file, the whole way: the user's events, the new notes, the recipe.

mido and pretty_midi judge the files; the notes are also worked out from the sampled rows here.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi
import pytest

from musenet.decoding.engines import resolve_engine
from musenet.export.recipe_event import MAKER, recipe_event, recipe_text
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.recipe import Recipe, options_in
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.sampling import ending
from musenet.sampling.ending import ending_evidence
from musenet.sampling.processors.style_penalty import StylePenalty, StylePenaltyProcessor
from tokenizer.errors import InputError
from tokenizer.midi.events import Event
from tokenizer.score.score import Score
from tokenizer.theory import Key

EXAMPLES = Path(__file__).parents[3] / "examples" / "prompts"
PROMPTS = sorted(EXAMPLES.glob("*.mid"))
Message = tuple[int, bytes]


def compose(tiny: Checkpoint, prompt: Prompt | None, options: GenerateOptions) -> list[Result]:
    continuation = Continuation(tiny, prompt, options)
    for _ in continuation.steps():
        pass
    return continuation.results()


def messages(data: bytes, before: int = 1 << 60) -> list[Counter[Message]]:
    """Absolute time and bytes of each track's messages up to a tick, as mido reads them."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks:
        now = 0
        own: Counter[Message] = Counter()
        for message in track:
            now += message.time
            if now < before and message.type != "end_of_track":
                own[now, bytes(message.bytes())] += 1
        found.append(own)
    return found


def check_notes(data: bytes) -> int:
    """No note is stuck, without a length or struck while it sounds; how many there are."""
    count = 0
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, sounding = 0, {}
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                assert key not in sounding
                sounding[key] = now
                count += 1
            else:
                assert now > sounding.pop(key)
        assert not sounding
    return count


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_the_prompt_is_the_users_file(tiny: Checkpoint, path: Path) -> None:
    prompt = read_prompt(path)
    (result,) = compose(tiny, prompt, GenerateOptions(bars=1, seed=1))
    old, new = messages(path.read_bytes()), messages(result.data)
    recipe = next(m for m in new[0] if MAKER in m[1])
    assert new[0][recipe] == 1
    for before, after in zip(old, new, strict=False):
        assert not before - after, "every event is still there"
        added = after - before
        assert all(tick >= result.boundary for tick, data in added if (tick, data) != recipe)
    assert check_notes(result.data) == check_notes(path.read_bytes()) + result.notes
    names = [t.name for t in mido.MidiFile(file=io.BytesIO(result.data)).tracks[1:]]
    assert all(names)


def test_every_kind_of_event_of_the_prompt_survives(tiny: Checkpoint, tmp_path: Path) -> None:
    """System Exclusive, aftertouch, lyrics, tempo and meter changes, sequencer data, a pedal."""
    midi = mido.MidiFile(ticks_per_beat=96, type=1)
    head = mido.MidiTrack()
    head += [
        mido.MetaMessage("set_tempo", tempo=600_000, time=0),
        mido.MetaMessage("time_signature", numerator=3, denominator=4, time=0),
        mido.MetaMessage("copyright", text="me", time=0),
        mido.MetaMessage("set_tempo", tempo=500_000, time=288),
        mido.MetaMessage("marker", text="half", time=0),
    ]
    part = mido.MidiTrack()
    part += [
        mido.MetaMessage("track_name", name="Singer", time=0),
        mido.Message("sysex", data=(126, 127, 9, 1), time=0),
        mido.Message("program_change", program=53, channel=4, time=0),
        mido.Message("control_change", control=64, value=127, channel=4, time=3),
        mido.MetaMessage("lyrics", text="la", time=0),
        mido.Message("note_on", note=60, velocity=71, channel=4, time=0),
        mido.Message("polytouch", note=60, value=40, channel=4, time=30),
        mido.Message("aftertouch", value=41, channel=4, time=0),
        mido.Message("pitchwheel", pitch=700, channel=4, time=7),
        mido.MetaMessage("sequencer_specific", data=(1, 2, 3), time=0),
        mido.Message("note_on", note=60, velocity=0, channel=4, time=523),
    ]
    midi.tracks += [head, part]
    path = tmp_path / "all.mid"
    midi.save(path)
    (result,) = compose(tiny, read_prompt(path), GenerateOptions(bars=3, seed=2))
    assert result.boundary == 576
    for before, after in zip(messages(path.read_bytes()), messages(result.data), strict=False):
        assert not before - after
    released = messages(result.data)[1] - messages(path.read_bytes())[1]
    assert released[576, bytes((0xB4, 64, 0))] == 1
    assert released[576, bytes((0xE4, 0, 64))] == 1
    read = pretty_midi.PrettyMIDI(io.BytesIO(result.data))
    assert read.get_tempo_changes()[1].tolist() == pytest.approx([100, 120])
    assert [(c.numerator, c.denominator) for c in read.time_signature_changes] == [(3, 4)]


def test_new_music_lies_in_the_bars_asked_for(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "piano.mid", stop=Place(bar=4))
    (result,) = compose(tiny, prompt, GenerateOptions(bars=3, seed=3))
    bar = 3 * 480
    assert (result.boundary, result.end) == (4 * bar, 7 * bar)
    new = [n for n in result.score.notes if n["start"] >= result.boundary]
    assert len(new) == result.notes > 3
    assert max(int(n["start"]) + int(n["duration"]) for n in new) <= result.end
    lengths = [sum(m.time for m in t) for t in mido.MidiFile(file=io.BytesIO(result.data)).tracks]
    assert set(lengths) == {result.end}


def test_notes_are_what_the_rows_say(tiny: Checkpoint) -> None:
    """24 steps a quarter against 480 ticks: a step is 20 ticks."""
    prompt = read_prompt(EXAMPLES / "quartet.mid", stop=Place(bar=2))
    continuation = Continuation(tiny, prompt, GenerateOptions(bars=2, seed=4))
    for _ in continuation.steps():
        pass
    (result,) = continuation.results()
    vocabulary = tiny.tokenizer.vocabulary
    body = tiny.tokenizer.body(prompt.music)
    time = int(vocabulary.steps[body[:, 0]].sum())
    expected = set()
    for first, instrument, pitch, _, velocity in continuation.rows(0).tolist():
        time += int(vocabulary.steps[first])
        if instrument:
            expected.add((time * 20, pitch - 1, max(1, (velocity - 1) * 4 + 2), instrument - 1))
    got = {
        (int(n["start"]), int(n["pitch"]), int(n["velocity"]), int(n["program"]))
        for n in result.score.notes
        if n["start"] >= result.boundary
    }
    assert got <= expected
    assert len(got) >= 0.8 * len(expected), "a few may meet a held note of the prompt"


def test_the_players_of_the_prompt_stay_unless_others_are_let_in(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "quartet.mid", stop=Place(bar=4))
    held = compose(tiny, prompt, GenerateOptions(bars=3, seed=1))[0].score
    assert set(held.notes["program"].tolist()) <= {40, 41, 42}
    asked = compose(tiny, prompt, GenerateOptions(bars=6, seed=1, instruments=(73,)))[0].score
    assert set(asked.notes["program"].tolist()) == {40, 41, 42, 73}
    assert "Flute" in [track.name for track in asked.tracks]
    free = compose(tiny, prompt, GenerateOptions(bars=3, seed=1, new_instruments=True))[0].score
    assert len(set(free.notes["program"].tolist()) - {40, 41, 42}) > 3
    only = GenerateOptions(bars=3, seed=1, only_instruments=(73,))
    data = compose(tiny, prompt, only)[0]
    new = data.score.notes[data.score.notes["start"] >= data.boundary]
    assert set(new["program"].tolist()) == {73}


def test_many_instruments_never_need_more_than_sixteen_channels(tiny: Checkpoint) -> None:
    wild = GenerateOptions(bars=8, seed=5, temperature=3.0, top_p=1.0)
    (result,) = compose(tiny, None, wild)
    programs: dict[int, set[int]] = {}
    for track in mido.MidiFile(file=io.BytesIO(result.data)).tracks:
        for message in track:
            if message.type == "program_change":
                programs.setdefault(message.channel, set()).add(message.program)
    assert len(programs) >= 10
    assert all(len(own) == 1 for own in programs.values())
    check_notes(result.data)


def test_music_without_a_prompt(tiny: Checkpoint) -> None:
    options = GenerateOptions(
        bars=4, seed=6, composer="bach", tempo=72, meter=(3, 4), instruments=(0,)
    )
    (result,) = compose(tiny, None, options)
    score = result.score
    assert score.tempos["microseconds"].tolist() == [round(60e6 / 72)]
    assert score.time_signatures.tolist() == [(0, 3, 4)]
    assert result.end == 4 * 3 * 480
    assert result.notes == len(score.notes) > 0
    assert "Beginning" in [row["text"] for row in score.markers]


def test_same_seed_same_bytes_and_variations_stand_alone(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "pop.mid", stop=Place(bar=2))
    three = compose(tiny, prompt, GenerateOptions(bars=2, seed=7, variations=(1, 2, 3)))
    again = compose(tiny, prompt, GenerateOptions(bars=2, seed=7, variations=(1, 2, 3)))
    assert [r.data for r in three] == [r.data for r in again]
    assert len({r.data for r in three}) == 3
    (second,) = compose(tiny, prompt, GenerateOptions(bars=2, seed=7, variations=(2,)))
    assert second.data == three[1].data


def test_the_recipe_says_how_to_make_it_again(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "jazz.mid", stop=Place(bar=2))
    options = GenerateOptions(bars=2, seed=8, composer="chopin", variations=(3,))
    (result,) = compose(tiny, prompt, options)
    texts = [
        recipe_text(Event(0, bytes(message.bytes())))
        for track in mido.MidiFile(file=io.BytesIO(result.data)).tracks
        for message in track
        if message.type == "sequencer_specific"
    ]
    record = json.loads(texts[0])
    assert record["weights"] == tiny.hash
    assert (record["options"]["seed"], record["options"]["variations"]) == (8, [3])
    told = options_in(record["options"], "the recipe")
    written = options.completed(fresh=False, drums=True, chords=True)
    assert told == replace(written, engine=resolve_engine(options.engine, tiny.model))
    (again,) = compose(tiny, prompt, told)
    assert again.data == result.data


def test_markers_stand_at_the_boundary_and_every_eight_bars(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid", stop=Place(bar=2))
    (result,) = compose(tiny, prompt, GenerateOptions(bars=17, seed=9))
    bar = 3 * 480
    markers = [(int(row["time"]), row["text"]) for row in result.score.markers]
    assert markers == [(2 * bar, "Continuation"), (10 * bar, "Bar 11"), (18 * bar, "Bar 19")]


def test_what_is_there_can_be_written_at_any_step(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "piano.mid")
    continuation = Continuation(tiny, prompt, GenerateOptions(bars=8, seed=10))
    empty = continuation.results()[0]
    assert empty.notes == 0
    steps = continuation.steps()
    for _ in range(5):
        next(steps)
    part = continuation.results()[0]
    assert 0 < part.notes <= 5
    check_notes(part.data)


def test_an_ending_comes_within_two_bars(tiny: Checkpoint) -> None:
    for seed in range(3):
        (result,) = compose(tiny, None, GenerateOptions(bars=4, seed=seed, ending=True))
        assert int(result.score.notes["start"].max()) < 5 * 4 * 480
        assert result.score.end <= 6 * 4 * 480


def test_of_many_ends_the_one_that_closes_best_is_kept(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closes(seed: int) -> float:
        options = GenerateOptions(bars=4, seed=seed, ending=True, key=Key(0, False))
        (result,) = compose(tiny, None, options)
        late = result.score.end / (4 * 480) - 4
        return sum(nats for nats, _ in ending_evidence(result.score.notes, Key(0, False), late))

    best = [closes(seed) for seed in range(8)]
    monkeypatch.setattr(ending, "CANDIDATES", 1)  # the first of the many, which may be the best
    assert sum(best) > sum(closes(seed) for seed in range(8))


def test_a_long_prompt_says_what_is_not_heard(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "orchestra.mid")
    continuation = Continuation(tiny, prompt, GenerateOptions(bars=1))
    heard = len(prompt.music.notes) - continuation.beyond_context
    assert tiny.config.context // 2 < heard <= tiny.config.context
    short = read_prompt(EXAMPLES / "orchestra.mid", stop=Place(bar=1))
    assert Continuation(tiny, short, GenerateOptions(bars=1)).beyond_context == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"composer": "chopan"}, "did you mean 'chopin'"),
        ({"styles": ("barock",)}, "did you mean 'baroque'"),
        ({"meter": (3, 4)}, "without a prompt"),
        ({"composer": "bach:0.5,chopan:0.5"}, "did you mean 'chopin'"),
        ({"guidance": 2.0}, "give --composer or --style"),
        ({"length": 5.0}, r"--length ends in the prompt, which has \d+\.\d seconds; give more"),
    ],
)
def test_requests_that_cannot_be_met(
    tiny: Checkpoint, given: dict[str, object], sentence: str
) -> None:
    prompt = read_prompt(EXAMPLES / "piano.mid")
    with pytest.raises(InputError, match=sentence):
        Continuation(tiny, prompt, GenerateOptions(**given))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["eager", "int8"])
def test_a_blend_is_another_label_beside_those_it_blends(tiny: Checkpoint, engine: str) -> None:
    """Shares count, not their sum; all of one composer is that composer."""

    def notes(composer: str) -> bytes:
        options = GenerateOptions(bars=2, seed=1, composer=composer, engine=engine)
        (result,) = compose(tiny, None, options)
        again = Recipe.from_text(recipe_text(recipe_event(result.recipe))).options
        assert again.composer == composer
        return result.score.notes.tobytes()

    blend = notes("bach:6,chopin:4")
    assert blend == notes("bach:0.6,chopin:0.4")
    assert len({blend, notes("bach"), notes("chopin")}) == 3
    assert notes("bach") == notes("bach:1,chopin:1e-09")


def test_a_new_tempo_from_the_boundary_on(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid", stop=Place(bar=2))
    (result,) = compose(tiny, prompt, GenerateOptions(bars=1, tempo=150))
    assert result.score.tempos.tolist() == [(0, 600_000), (2 * 3 * 480, 400_000)]


def test_length_in_seconds_is_of_the_whole_piece(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid", stop=Place(bar=2))
    (result,) = compose(tiny, prompt, GenerateOptions(length=9.5, seed=3))
    # Bars of three quarters at 100 a minute last 1.8 s; 9.5 s lie in the sixth.
    assert result.end == 6 * 3 * 480
    assert np.all(result.score.notes["start"] < result.end)


def test_a_new_piece_for_nobody_is_for_piano(tiny: Checkpoint) -> None:
    (unasked,) = compose(tiny, None, GenerateOptions(bars=1, seed=4))
    (piano,) = compose(tiny, None, GenerateOptions(bars=1, seed=4, instruments=(0,)))
    assert unasked.recipe.options.instruments == (0,)
    assert unasked.data == piano.data
    for asked in ({"composer": "bach"}, {"only_instruments": (40,)}, {"instruments": (40, 42)}):
        (result,) = compose(tiny, None, GenerateOptions(bars=1, seed=4, **asked))
        assert 0 not in result.recipe.options.instruments


def fullest(score: Score) -> int:
    """The most notes that sound at once, counted where each begins."""
    starts = score.notes["start"].astype(np.int64)
    ends = starts + score.notes["duration"]
    return int(((starts <= starts[:, None]) & (ends > starts[:, None])).sum(axis=1).max())


def test_a_new_piece_becomes_as_full_as_is_usual_unless_more_is_asked_for(
    tiny: Checkpoint,
) -> None:
    usual = GenerateOptions(bars=8, instruments=(0,), seed=2)
    freely = replace(usual, density=60, polyphony=60)
    (kept,), (free,) = (compose(tiny, None, options) for options in (usual, freely))
    # Weights that learned nothing pile up notes, on which the test rests.
    assert fullest(kept.score) <= 8 < fullest(free.score)


def test_another_key_frees_the_pitch_classes_and_keeps_the_rest_of_the_manner(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[float, bool]] = []

    class Noted(StylePenaltyProcessor):
        def __init__(self, config: StylePenalty, context: Any) -> None:
            made.append((config.strength, config.keep_key))
            super().__init__(config, context)

    monkeypatch.setattr("musenet.sampling.processors.style_penalty.StylePenaltyProcessor", Noted)
    prompt = read_prompt(PROMPTS[0])
    for begin, key in ((prompt, None), (prompt, Key(3, False)), (None, Key(3, False))):
        compose(tiny, begin, GenerateOptions(bars=1, key=key))
    assert made == [(1.0, True), (1.0, False), (1.0, True)]
