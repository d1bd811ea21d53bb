"""What is usual for a part: against figures worked out by hand, and what is chosen by them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.editing.fill import Fill
from musenet.editing.fill_ranking import ranked_takes
from musenet.editing.holed import HoledPiece
from musenet.editing.piece import read_piece
from musenet.editing.usual_parts import ANY_PART, USUAL_PARTS, WrittenParts, part_measures
from musenet.generation.reranking import MOST
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from tokenizer.instruments import DRUMS, FAMILIES
from tokenizer.score.score import NOTES
from tokenizer.typing import Floats, Notes

POP = Path(__file__).parents[3] / "examples" / "prompts" / "pop.mid"
BASS, CELLO, SITAR = 33, 42, 104


def notes(program: int, count: int, quarters: float, apart: int = 1) -> Notes:
    """Notes of one length, so many quarter notes of 480 ticks apart."""
    made = np.zeros(count, dtype=NOTES)
    made["start"] = 480 * apart * np.arange(count)
    made["duration"], made["pitch"], made["program"] = round(480 * quarters), 40, program
    return made


def parts(options: FillOptions) -> WrittenParts:
    return WrittenParts.of(HoledPiece(read_piece(POP), options))


def test_measures_are_those_that_they_say() -> None:
    lines = np.arange(0, 8) * 4 * 480
    steady = notes(BASS, 32, 0.5)
    assert part_measures(steady["start"], steady["duration"], lines, 32.0, 480) == (0.0, -1.0, 1.0)
    starts, held = np.array([0, 500, 1919, 3900, 5760 + 240]), np.array([120, 960, 1920, 960, 960])
    found = part_measures(starts, held, lines, 10.0, 480)
    # It plays in bars 1 to 4; a tick before bar 2 is on its line, bars 3 and 4 begin without it.
    assert found == (-1.0, 1.0, 0.5)
    density, length, downbeats = part_measures(starts[:0], held[:0], lines, 32.0, 480)
    assert density == -6.0  # half a note in 32 quarters
    assert math.isnan(length)
    assert downbeats == 0
    assert math.isnan(part_measures(starts[:0], held[:0], lines[:0], 10.0, 480).downbeats)
    assert math.isnan(part_measures(starts, held, lines[:0], 10.0, 480).downbeats)


def test_a_part_of_the_song_is_compared_with_itself() -> None:
    """The bass of the song has 40 notes in 8 bars, of a bit less than a quarter in the median."""
    piece = read_piece(POP)
    own = piece.score.notes[piece.score.notes["program"] == BASS]
    whole = parts(AccompanyOptions(tracks=("Bass",)).as_fill())
    density, length, downbeats = whole.usual[BASS]
    usual = USUAL_PARTS["bass"]
    assert density.mean == pytest.approx(math.log2(40 / 32))
    assert density.deviation == usual.density.change
    assert length.mean == pytest.approx(math.log2(float(np.median(own["duration"])) / 480))
    assert downbeats.mean == 1
    # In a hole of two bars, what plays outside of it and what was taken out count alike.
    hole = parts(FillOptions(bars=((3, 4),), instruments=(BASS,)))
    for one, other in zip(hole.usual[BASS], (density, length, downbeats), strict=True):
        assert one == pytest.approx(other)
    assert hole.lines.tolist() == [2 * 4 * 480, 3 * 4 * 480]
    assert hole.quarters == 8
    assert [nats for nats, _ in whole.findings(own)] == pytest.approx([0, 0, 0], abs=1e-9)


def test_of_two_tracks_of_one_instrument_each_is_compared_with_itself() -> None:
    """Two hands on two tracks, whose notes and bars are counted in what mido reads."""
    path = POP.parents[1] / "user_prompts" / "sonatina.mid"
    means = []
    for track in mido.MidiFile(path).tracks[1:]:
        now, starts = 0, []
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                starts.append(now)
        bars = {start // (4 * 480) for start in starts}
        options = FillOptions(bars=((2, 3),), tracks=(track.name,))
        ((density, _, _),) = WrittenParts.of(HoledPiece(read_piece(path), options)).usual.values()
        assert density.mean == pytest.approx(math.log2(len(starts) / (4 * len(bars))))
        means.append(density.mean)
    assert means[0] != pytest.approx(means[1])


def test_a_draft_that_plays_little_is_better_than_one_that_is_silent() -> None:
    """A note off the beat in a hole of one bar, or none of a part that was asked for."""
    new = parts(FillOptions(bars=((3, 3),), added=(BASS,)))
    one = notes(BASS, 1, 0.5)
    one["start"] = 2 * 4 * 480 + 700
    little, nothing = (sum(nats for nats, _ in new.findings(each)) for each in (one, one[:0]))
    assert nothing < little - 1


def test_a_new_part_is_compared_with_its_family() -> None:
    new = parts(AccompanyOptions(instruments=(CELLO, SITAR)).as_fill())
    for program, family in ((CELLO, "strings"), (SITAR, None)):
        usual = USUAL_PARTS[family] if family else ANY_PART
        expected = [(one.mean, one.spread) for one in usual]
        assert [tuple(one) for one in new.usual[program]] == expected
    assert set(USUAL_PARTS) <= set(FAMILIES)


def test_what_is_far_from_usual_counts_against_a_part_by_the_t_distribution() -> None:
    new = parts(AccompanyOptions(instruments=(BASS,)).as_fill())
    usual = USUAL_PARTS["bass"]
    (thin, words), (short, _), (off, seldom) = new.findings(notes(BASS, 8, 0.25, 3))
    z = (math.log2(8 / 32) - usual.density.mean) / usual.density.spread
    assert thin == pytest.approx(-2 * math.log1p(z * z / 3))
    z = (-2 - usual.length.mean) / usual.length.spread
    assert short == pytest.approx(-2 * math.log1p(z * z / 3))
    # Three quarters apart: of the six bars that it plays in, 1 and 4 begin with it.
    z = (2 / 6 - usual.downbeats.mean) / usual.downbeats.spread
    assert off == pytest.approx(-2 * math.log1p(z * z / 3))
    assert seldom.endswith("on fewer downbeats than usual")
    assert "Bass" in words
    assert words.endswith("thinner than usual")
    assert new.findings(notes(BASS, 200, 0.25))[0][1].endswith("denser than usual")
    ((silent, words),) = new.findings(notes(CELLO, 8, 0.25))  # another's notes
    apart = [(-6 - usual.density.mean) / usual.density.spread, usual.downbeats.mean / 0.23]
    assert silent == pytest.approx(sum(-2 * math.log1p(one * one / 3) for one in apart) - MOST)
    assert words == "Electric Bass (finger) silent"


def test_how_long_drums_are_held_does_not_count() -> None:
    new = parts(AccompanyOptions(instruments=(DRUMS,)).as_fill())
    short, long = (new.findings(notes(DRUMS, 32, held)) for held in (0.05, 2.0))
    assert short == long
    assert short[1][0] == 0


@pytest.mark.parametrize("seed", [2, 3])
def test_of_drafts_that_join_alike_the_one_with_the_best_parts_is_kept(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A draft is what a variation with its number is alone, judged by the notes in its file."""
    options = AccompanyOptions(tracks=("Bass",), engine="eager", seed=seed).as_fill()

    def taken(options: FillOptions) -> tuple[Fill, Notes]:
        request = Fill(tiny, read_piece(POP), options)
        for _ in request.steps():
            pass
        return request, request.results()[0].new

    drafts = [taken(replace(options, drafts=1, variations=(1 + 64 * d,))) for d in range(3)]
    evidence = [sum(n for n, _ in fill.found_in_parts(new)) for fill, new in drafts]
    assert max(evidence) > sorted(evidence)[1]
    for handicap in (0.0, 1000.0):  # of the draft whose parts are best, in how it joins

        def fit(*_: object, less: float = handicap) -> Floats:
            return np.where(np.arange(3) == np.argmax(evidence), -less, 0.0)

        monkeypatch.setattr("musenet.editing.drafts.EdgeReader.fit", fit)
        best = int(np.argmax(evidence + fit()))
        assert (best == np.argmax(evidence)) == (handicap == 0)
        assert np.array_equal(taken(replace(options, drafts=3))[1], drafts[best][1])


def test_candidates_have_the_evidence_of_their_parts(tiny: Checkpoint) -> None:
    options = AccompanyOptions(tracks=("Bass",), engine="eager", seed=1, drafts=1).as_fill()
    request = Fill(tiny, read_piece(POP), replace(options, variations=(1, 2, 3)))
    for _ in request.steps():
        pass
    takes = request.results()
    for take, ranked in ranked_takes(request, takes):
        expected = sum(nats for nats, _ in request.found_in_parts(take.new))
        assert ranked.evidence["parts"] == pytest.approx(expected)
    kept = Fill(tiny, read_piece(POP), replace(options, keep_rhythm=True))
    assert kept.found_in_parts(takes[0].new) == []
