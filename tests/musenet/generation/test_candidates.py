"""The best of several, at the command line: the bytes of the variation, a table, bad requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musenet.cli.generate import best_of
from musenet.cli.generate_run import make
from musenet.generation.candidates import new_music, ranked, table
from musenet.generation.options import GenerateOptions
from musenet.generation.outputs import Outputs
from musenet.generation.parse import Place
from musenet.generation.prompt import read_prompt
from musenet.generation.reranking import Ranked
from musenet.generation.session import Composition
from musenet.model.checkpoint import Checkpoint
from tokenizer.errors import InputError

PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"
MANY = GenerateOptions(bars=2, seed=11, variations=(1, 2, 3, 4, 5, 6))


def composed(tiny: Checkpoint, options: GenerateOptions, name: str = "folk") -> Composition:
    composition = Composition(tiny, read_prompt(PROMPTS / f"{name}.mid", stop=Place(2)), options)
    for _ in composition.steps():
        pass
    return composition


def test_kept_files_are_the_variations_themselves(
    tiny: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = read_prompt(PROMPTS / "folk.mid", stop=Place(2))
    make(tiny, prompt, MANY, Outputs(tmp_path / "best.mid", keep=2))
    printed = capsys.readouterr().out
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == 2
    marked = [line.split()[1] for line in printed.splitlines() if line.startswith("*")]
    assert kept == sorted(f"best-{number}.mid" for number in marked)
    for number in map(int, marked):
        alone = GenerateOptions(bars=2, seed=11, variations=(number,))
        make(tiny, prompt, alone, Outputs(tmp_path / "alone.mid"))
        assert (tmp_path / "alone.mid").read_bytes() == (
            tmp_path / f"best-{number}.mid"
        ).read_bytes()


def test_one_that_is_kept_has_the_name_that_was_given(tiny: Checkpoint, tmp_path: Path) -> None:
    make(tiny, None, MANY, Outputs(tmp_path / "new.mid", keep=1))
    assert [path.name for path in tmp_path.iterdir()] == ["new.mid"]


def test_the_table_is_in_order_and_adds_up(tiny: Checkpoint) -> None:
    composition = composed(tiny, MANY)
    rows = ranked(tiny, composition, composition.results())
    totals = [one.total for _, one in rows]
    assert totals == sorted(totals, reverse=True)
    assert sorted(result.variation for result, _ in rows) == [1, 2, 3, 4, 5, 6]
    assert all(result.variation == one.number for result, one in rows)
    head, *lines = table(rows, 3).splitlines()
    assert [line[0] for line in lines] == ["*", "*", "*", " ", " ", " "]
    columns = head.split("why")[0].split()
    for line, (_, one) in zip(lines, rows, strict=True):
        cells = line[1:].split()[: len(columns)]
        assert float(cells[1]) == pytest.approx(one.total, abs=0.06)
        assert sum(map(float, cells[2:])) == pytest.approx(one.total, abs=0.4)


def test_the_new_music_alone_is_ranked(tiny: Checkpoint) -> None:
    composition = composed(tiny, GenerateOptions(bars=2, seed=1))
    (result,) = composition.results()
    music = new_music(result)
    assert len(music.notes) == result.notes
    new = result.score.notes[result.score.notes["start"] >= result.boundary]
    assert np.array_equal(music.notes["start"] + result.bar, new["start"])


def test_a_critic_is_asked_for_what_has_notes(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The critic prefers the last; pieces go to it from the beginning of the prompt."""
    composition = composed(tiny, MANY)
    results = composition.results()
    asked = []

    def log_odds(checkpoint: Checkpoint, pieces: list[np.ndarray]) -> list[float]:
        asked.extend(pieces)
        return [100.0 * k for k in range(len(pieces))]

    monkeypatch.setattr("musenet.evaluation.critic.log_odds", log_odds)
    monkeypatch.setattr(tiny.model, "critic", object())
    best, _ = ranked(tiny, composition, results)[0]
    assert best is results[-1]
    assert "critic" in table(ranked(tiny, composition, results), 1)
    prompt = tiny.tokenizer.body(composition.prompt.heard)
    for index, piece in enumerate(asked[:6]):
        rows = composition.rows(index)
        assert np.array_equal(piece[-len(rows) :], rows)
        assert np.array_equal(piece[-len(rows) - len(prompt) : -len(rows)], prompt)


def test_long_reasons_are_cut() -> None:
    class Fake:
        variation = 7

    one = Ranked(1, -3.0, {"scale": -3.0}, ("further from a scale than the prompt",) * 4)
    line = table([(Fake(), one)], 1).splitlines()[1]  # type: ignore[list-item]
    assert line.endswith("…")
    assert len(line) < 100


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((None, 2, (1,)), "give both"),
        ((8, 9, (1,)), "keep 1 or more"),
        ((8, 0, (1,)), "keep 1 or more"),
        ((8, 2, (1, 2, 3)), "not both"),
        ((8, 2, (3,)), "not both"),
    ],
)
def test_requests_that_mean_nothing(
    given: tuple[int | None, int | None, tuple[int, ...]], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        best_of(*given)


def test_requests_that_mean_something() -> None:
    assert best_of(None, None, (1, 2, 3, 4)) is None
    assert best_of(16, None, (1,)) == 1
    assert best_of(16, 2, (1,)) == 2
