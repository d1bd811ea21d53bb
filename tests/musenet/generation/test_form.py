"""Form and changes of labels in whole files, as mido reads them."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.decoding import int8
from musenet.editing.fill_recipe import read_recipe
from musenet.export.recipe_event import recipe_event, recipe_text
from musenet.generation.form import markers
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.recipe import Recipe, prompt_in
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.options.timeline import parse_changes
from musenet.sampling.segments import SegmentSampler
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars
from tokenizer.score.columns import TIME_SIGNATURES

EXAMPLES = Path(__file__).parents[3] / "examples" / "prompts"
PROMPTS = ["folk", "pop", "quartet", "jazz"]
needs_int8 = pytest.mark.skipif(int8.missing() is not None, reason="onnxruntime is not installed")

Played = tuple[int, int, int, int, int]


def made(tiny: Checkpoint, prompt: Prompt | None, options: GenerateOptions) -> list[Result]:
    continuation = Continuation(tiny, prompt, options)
    for _ in continuation.steps():
        pass
    return continuation.results()


def played(data: bytes) -> list[Played]:
    """Start, length, pitch, velocity and channel of each note, as mido reads them."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now, sounding = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding[message.channel, message.note] = now, message.velocity
            elif message.type in ("note_on", "note_off"):
                begin = sounding.pop((message.channel, message.note), None)
                if begin is not None:
                    start, velocity = begin
                    found.append((start, now - start, message.note, velocity, message.channel))
    return sorted(found)


def section(data: bytes, begin: int, end: int) -> Counter[Played]:
    """The notes that begin in a stretch, with starts counted from its beginning.

    What sounds across its end is cut off there: the next note of its pitch may end it.
    """
    return Counter(
        (start - begin, min(length, end - start), pitch, velocity, channel)
        for start, length, pitch, velocity, channel in played(data)
        if begin <= start < end
    )


def marked(data: bytes) -> list[tuple[int, str]]:
    return [(int(row["time"]), row["text"]) for row in read(data).markers]


def bar_of(prompt: Prompt) -> int:
    return prompt.bars.tick(1)


@pytest.mark.parametrize("name", PROMPTS)
def test_a_section_that_returns_is_the_same_note_for_note(
    tiny: Checkpoint, name: str, tmp_path: Path
) -> None:
    prompt = read_prompt(EXAMPLES / f"{name}.mid", stop=Place(bar=2))
    options = GenerateOptions(form="A B A B:2", seed=3, variations=(1, 2))
    length = 2 * bar_of(prompt)
    one, two = made(tiny, prompt, options)
    for result in (one, two):
        assert marked(result.data) == [(n * length, s) for n, s in enumerate("ABAB") if n]
        parts = [section(result.data, n * length, (n + 1) * length) for n in range(4)]
        assert sum(parts[0].values()) == len(prompt.music.notes)
        assert parts[2] == parts[0]
        assert parts[3] == parts[1]
        assert result.end == 4 * length
        path = tmp_path / "song.mid"
        path.write_bytes(result.data)
        recipe, file = read_recipe(path)
        assert isinstance(recipe, Recipe)
        (again,) = made(tiny, prompt_in(file, recipe), recipe.options)
        assert again.data == result.data
    assert section(one.data, length, 2 * length) != section(two.data, length, 2 * length)


def test_notes_off_the_grid_return_to_the_tick(tiny: Checkpoint) -> None:
    score = read(EXAMPLES / "folk.mid")
    notes = score.notes.copy()
    random = np.random.default_rng(1)
    notes["start"] += random.integers(0, 17, len(notes)).astype(np.int32)
    notes["duration"] = np.maximum(notes["duration"] - random.integers(20, 90, len(notes)), 5)
    notes["velocity"] = random.integers(1, 128, len(notes))
    loose = replace(score, notes=np.sort(notes, order=["start"]))
    prompt = read_prompt(loose, stop=Place(bar=4))
    (result,) = made(tiny, prompt, GenerateOptions(form="A A", seed=1))
    length = 4 * bar_of(prompt)
    assert section(result.data, length, 2 * length) == section(result.data, 0, length)


def test_lengths_and_a_prompt_that_is_shorter_or_longer(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid")  # eight bars
    bar = bar_of(prompt)
    (result,) = made(tiny, prompt, GenerateOptions(form="A:3 B:2 A C:1", seed=1))
    assert marked(result.data) == [(8 * bar, "B"), (10 * bar, "A"), (13 * bar, "C")]
    assert section(result.data, 10 * bar, 13 * bar) == section(result.data, 5 * bar, 8 * bar)
    (result,) = made(tiny, prompt, GenerateOptions(form="A:10 A", seed=1))
    assert marked(result.data) == [(8 * bar, "Continuation"), (10 * bar, "A")]
    assert section(result.data, 10 * bar, 20 * bar) == section(result.data, 0, 10 * bar)
    assert sum(section(result.data, 8 * bar, 10 * bar).values()) > 0


def test_a_new_piece_with_an_ending(tiny: Checkpoint) -> None:
    options = GenerateOptions(
        form="intro:1 verse:2 verse outro:3", ending=True, instruments=(0,), seed=4, meter=(3, 4)
    )
    (result,) = made(tiny, None, options)
    bar = 3 * result.score.ticks_per_quarter
    assert [name for _, name in marked(result.data)] == ["intro", "verse", "verse", "outro"]
    assert section(result.data, 3 * bar, 5 * bar) == section(result.data, bar, 3 * bar)


@pytest.mark.parametrize("distance", [0.2, 0.6, 1.0])
def test_a_varied_section_keeps_its_share_and_is_never_denser(
    tiny: Checkpoint, distance: float
) -> None:
    prompt = read_prompt(EXAMPLES / "pop.mid", stop=Place(bar=4))
    length = 4 * bar_of(prompt)
    options = GenerateOptions(form="A A", distance=distance, seed=2, variations=(1, 2))
    for result in made(tiny, prompt, options):
        old, new = (section(result.data, n * length, (n + 1) * length) for n in (0, 1))
        count = sum(old.values())
        assert sum((old & new).values()) >= 0.95 * (count - round(distance * count))
        assert sum(new.values()) <= count
        assert old != new


@needs_int8
def test_a_variation_is_the_same_alone_and_among_others(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid")
    options = GenerateOptions(
        form="A B:4 A", distance=0.3, seed=5, variations=(1, 2, 3), engine="int8",
        then=parse_changes("bar 11: composer bach"),
    )  # fmt: skip
    together = made(tiny, prompt, options)
    (alone,) = made(tiny, prompt, replace(options, variations=(2,)))
    assert alone.data == together[1].data


def test_chords_return_with_their_section(tiny: Checkpoint) -> None:
    if tiny.tokenizer.vocabulary.control("chord:C:maj") is None:
        pytest.skip("the tiny model knows no chords")
    prompt = read_prompt(EXAMPLES / "folk.mid", stop=Place(bar=2))
    options = GenerateOptions(form="A B:3 C:2 B", chords="C | F | G | Am", seed=1)
    continuation = Continuation(tiny, prompt, options)
    assert continuation._chords is not None
    found = dict(
        zip(continuation._chords.ticks.tolist(), continuation._chords.numbers.tolist(), strict=True)
    )
    bar = bar_of(prompt)
    assert [found[(2 + n) * bar] for n in range(3)] == [found[(7 + n) * bar] for n in range(3)]


def test_labels_change_at_their_bars(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "pop.mid", stop=Place(bar=2))
    bar = bar_of(prompt)
    plain = GenerateOptions(bars=6, seed=6, entrance=0.0, chords=None, keep_chords=False)
    changes = parse_changes(
        ["bar 5: composer chopin, instruments piano, tempo 77", "bar 7: key A minor, style baroque"]
    )
    (before,) = made(tiny, prompt, replace(plain, bars=2))
    (result,) = made(tiny, prompt, replace(plain, then=changes))
    score = result.score
    early = (score.notes["start"] >= 2 * bar) & (score.notes["start"] < 4 * bar)
    assert early.sum() == before.notes
    late = score.notes[score.notes["start"] >= 4 * bar]
    assert len(late)
    assert {*late["program"].tolist()} <= {0}
    assert _tempo_at(result.data, 4 * bar) == pytest.approx(77, abs=0.01)
    sampler = Continuation(tiny, prompt, replace(plain, then=changes))._sampler
    assert isinstance(sampler, SegmentSampler)
    vocabulary = tiny.tokenizer.vocabulary
    names = [
        {vocabulary.name(int(row[0])) for row in segment.prefix} for segment in sampler._segments
    ]
    assert ["composer:chopin" in each for each in names] == [False, True, True]
    assert ["style:baroque" in each for each in names] == [False, False, True]
    text = recipe_text(recipe_event(result.recipe))
    (again,) = made(tiny, prompt, Recipe.from_text(text).options)
    assert again.data == result.data


def _tempo_at(data: bytes, tick: int) -> float:
    """The tempo that is set at a tick, as mido reads it."""
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "set_tempo" and now == tick:
                return float(mido.tempo2bpm(message.tempo))
    return 0.0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"form": "A"}, "no longer than the prompt"),
        ({"form": "A B", "then": "bar 2: key C"}, "the new music has bars 9 to 16"),
        ({"bars": 4, "then": "bar 13: key C"}, "the new music has bars 9 to 12"),
        ({"bars": 4, "then": "bar 10: composer chopan"}, "did you mean 'chopin'"),
        ({"form": "A:6000 B A"}, "longer than 10,000 bars"),
    ],
)
def test_what_cannot_be_done(tiny: Checkpoint, given: dict[str, str], sentence: str) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid")
    with pytest.raises(InputError, match=sentence):
        Continuation(tiny, prompt, GenerateOptions.from_keywords(**given))  # type: ignore[arg-type]


def test_labels_cannot_change_in_a_bar_that_the_prompt_has_begun(tiny: Checkpoint) -> None:
    prompt = read_prompt(EXAMPLES / "folk.mid", stop=Place(seconds=13.5))
    options = GenerateOptions.from_keywords(bars=4, then="bar 8: key C")
    with pytest.raises(InputError, match="names bar 8, but the new music has bars 9 to 12"):
        Continuation(tiny, prompt, options)


def test_markers_count_phrases_from_the_first_bar_line_after_a_pick_up() -> None:
    """A tune that ends on the third beat of bar 8 goes on with its pick-up."""
    bars = Bars(np.array([(0, 4, 4)], TIME_SIGNATURES), 480)
    line, end = 8 * 1920, 25 * 1920
    whole = [(line, 6, "Continuation"), (16 * 1920, 6, "Bar 17"), (24 * 1920, 6, "Bar 25")]
    assert markers((), bars, (line, end), fresh=False) == whole
    early = line - 480
    assert markers((), bars, (early, end), fresh=False) == [(early, *whole[0][1:]), *whole[1:]]
    assert markers((), bars, (0, 9 * 1920), fresh=True) == [
        (0, 6, "Beginning"),
        (8 * 1920, 6, "Bar 9"),
    ]
