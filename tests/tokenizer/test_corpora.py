"""Every file of the corpora through the tokenizer; runs where `../shared/data` is."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tokenizer import Grid, MidiError, Score, StructureState, Tokenizer, Vocabulary, read, structure
from tokenizer.encoding.structure import length_of

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ARCHIVES = sorted(DATA.glob("corpora/*.tar.xz")) + sorted(DATA.glob("bench/*.tar.xz"))

BEATS = Vocabulary.create(Grid.beats())
PLAIN = Tokenizer(BEATS)
FULL = Tokenizer(BEATS, pedal="events", tempo_changes=True)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ARCHIVES, reason="the corpora of ../shared/data are not here"),
]


def scores(archive: Path) -> Iterator[tuple[str, Score]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.lower().endswith((".mid", ".midi")):
                stream = tar.extractfile(member)
                assert stream is not None
                try:
                    yield member.name, read(stream.read())
                except MidiError:
                    continue  # the reader's tests say which files are refused, and why


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def test_no_note_is_lost_and_decoding_is_the_inverse(archive: Path) -> None:
    for number, (name, score) in enumerate(scores(archive)):
        tokens = PLAIN.encode(score)
        again = PLAIN.decode(tokens)
        assert len(again.notes) == len(score.notes), name
        assert np.bincount(again.notes["pitch"], minlength=128).tolist() == (
            np.bincount(score.notes["pitch"], minlength=128).tolist()
        ), name
        assert np.array_equal(PLAIN.encode(again, PLAIN.labels(score)), tokens), name
        assert PLAIN.decode(PLAIN.encode(again, PLAIN.labels(score))) == again, name
        if number % 4 == 0:
            full = FULL.encode(score)
            whole = FULL.decode(full)
            assert np.array_equal(FULL.encode(whole, FULL.labels(score)), full), name
        if number % 40 == 0:
            some = full[:2000]
            length = length_of(some, BEATS)
            state = StructureState(BEATS, 1, length)
            rows = np.concatenate([state.push(row[None]) for row in some])
            assert np.array_equal(rows, structure(some, BEATS, length)), name
