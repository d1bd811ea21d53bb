"""Encodings learned in `prepare`: from the training split alone, the same whoever prepares it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.learn import Learning
from data_prep.corpus.split import Shares
from data_prep.dataset.pieces import Pieces
from data_prep.dataset.verify import verify
from data_prep.pipeline import Run
from data_prep.worker.engines import Limits
from tokenizer import ChordwiseTokenizer, InputError, OnsetTokenizer, Tokenizer
from tokenizer.encoding.learned.symbols import LEARNED

PLAN = Plan(Shares(0.2, 0.2))
CHORDS = Learning(ChordwiseTokenizer(Tokenizer.default(), volumes=1), 200)


def made(
    corpus: Path, out: Path, learning: Learning | None, workers: int = 2, overwrite: bool = False
) -> None:
    run = Run("threads", Limits(workers))
    prepare([corpus], out, plan=PLAN, learning=learning, run=run, overwrite=overwrite)


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_chords_are_those_of_the_training_pieces(corpus: Path, tmp_path: Path) -> None:
    """Counted again by a tokenizer that knows them all, over what was written."""
    made(corpus, tmp_path / "set", CHORDS)
    train = Pieces(tmp_path / "set", "train")
    encoding = train.encoding
    assert isinstance(encoding, ChordwiseTokenizer)
    assert encoding.compound == train.tokenizer
    bodies = [train.tokens(piece) for piece in range(len(train))]
    everything = ChordwiseTokenizer(train.tokenizer, volumes=1).learned(bodies * 2, 10_000)
    counts: Counter[tuple[int, ...]] = Counter()
    for body in bodies:
        ids = everything.spelled(body)[:, 0]
        assert np.array_equal(everything.rows_of(ids[:, None])[:, :4], body[:, :4])
        learned = ids[everything.symbols.kinds[ids] == LEARNED] - everything.symbols.base
        counts.update(everything.chords[place] for place in learned.tolist())
    wanted = sorted(((-n, chord) for chord, n in counts.items() if n > 1))[:200]
    assert encoding.chords == tuple(chord for _, chord in wanted)
    assert len(encoding.chords) > 20


def test_bytes_do_not_depend_on_workers_or_on_interruptions(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(corpus, tmp_path / "one", CHORDS, workers=1)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Learning, "learned", stopped)
        with pytest.raises(KeyboardInterrupt):
            made(corpus, tmp_path / "two", CHORDS, workers=3)
    made(corpus, tmp_path / "two", CHORDS, workers=3)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_merges_are_learned_from_a_dataset_too(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    made(corpus, tmp_path / "set", Learning(OnsetTokenizer(Tokenizer.default()), 50))
    held_out = Pieces(tmp_path / "set", "validation")
    encoding = held_out.encoding
    assert isinstance(encoding, OnsetTokenizer)
    assert len(encoding.merges) >= 50
    for piece in range(len(held_out)):
        body = held_out.tokens(piece)
        assert np.array_equal(encoding.rows_of(encoding.spelled(body)), body)


def test_the_file_is_one_of_the_dataset(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    made(corpus, out, CHORDS)
    assert not list(verify(out))
    assert "encoding.json" in json.loads((out / "dataset.json").read_text())["files"]
    made(corpus, out, None, overwrite=True)
    assert not (out / "encoding.json").exists()
    assert Pieces(out, "train").encoding is None
    Tokenizer.default().save(out / "encoding.json")
    with pytest.raises(InputError, match="compound encoding, not learned"):
        Pieces(out, "train")


def test_a_vocabulary_of_fewer_than_none_is_refused() -> None:
    with pytest.raises(InputError, match="-1"):
        Learning(CHORDS.encoding, -1)
