"""The critic: what it is shown, that it learns, and that nothing else of a model changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from data_prep.dataset.pieces import Pieces
from musenet.cli.main import app
from musenet.evaluation.critic import WARM_UP, as_written, log_odds
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from musenet.options.generate_options import GenerateOptions
from musenet.training.critic import train as critics
from musenet.training.critic.data import VARIATIONS, Groups, RealMusic, Sample
from musenet.training.critic.metrics import Answers, area, figures, with_section
from musenet.training.critic.train import States
from tokenizer.encoding.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def plain(
    model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """Weights at random: nobody takes their music for real."""
    tokenizer = Tokenizer.default(composers=["bach"])
    folder = tmp_path_factory.mktemp("critic") / "plain"
    card = "# plain\n\nText.\n\n## Limits and use\n\nNone.\n"
    save_checkpoint(folder, model_for(tokenizer, noise=0.1), tokenizer, {"steps": 3}, card)
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def judged(plain: Checkpoint, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights with a critic, by the command."""
    out = tmp_path_factory.mktemp("critic") / "judged"
    words = ["train-critic", str(dataset), "--weights", str(plain.folder), "--out", str(out)]
    result = CliRunner().invoke(app, [*words, "--pieces", "24"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "with a prompt" in result.output
    return out


def music(dataset: Path) -> RealMusic:
    return RealMusic([Pieces(dataset, "train")], np.random.default_rng(0))


@pytest.mark.parametrize("prompted", [False, True])
def test_both_halves_of_a_group_are_alike_but_for_who_made_them(
    plain: Checkpoint, dataset: Path, prompted: bool
) -> None:
    samples = list(Groups(plain, music(dataset), 0).make(3, 80, prompted=prompted))
    real = [s for s in samples if s.real]
    made = [s for s in samples if not s.real]
    assert len(real) == len(made) == VARIATIONS
    vocabulary = plain.tokenizer.vocabulary
    for sample in samples:
        assert vocabulary.name(int(sample.tokens[0, 0])).startswith("time_signature:")
        assert vocabulary.prefix_length(sample.tokens) == 1
        assert not (sample.tokens[:, 0] == vocabulary.end).any()
        assert (sample.first > 0) == prompted
        # Writing cuts a note that its own next one meets, and drops one of two at once.
        assert 40 < len(sample.tokens) - 1 - sample.first <= 80
    source = real[0]
    for sample in made:
        heard = sample.tokens[: 1 + sample.first]
        np.testing.assert_array_equal(heard[:, :3], source.tokens[: 1 + source.first, :3])
    assert len({sample.tokens.tobytes() for sample in samples}) == 2 * VARIATIONS


def test_real_music_is_drawn_from_every_corpus_before_any_comes_again(dataset: Path) -> None:
    drawn = music(dataset)
    found = [drawn.draw(50) for _ in range(16)]
    assert len({piece for _, piece in found}) == 16
    corpora = [pieces.corpora[piece] for pieces, piece in found]
    assert sorted(corpora[:2]) == ["down", "up"]
    assert drawn.draw(50)[1] in {piece for _, piece in found}


def test_held_out_groups_come_from_held_out_pieces(plain: Checkpoint, dataset: Path) -> None:
    def nothing(_done: int, _groups: int) -> None:
        pass

    learned, held = critics.generate(
        plain, dataset, pieces=16, minutes=None, seed=0, progress=nothing
    )
    tokenizer, train = plain.tokenizer, Pieces(dataset, "train")
    written = [as_written(train.tokens(i), tokenizer) for i in range(len(train))]
    trained_on = {tokens[1:41, 2].tobytes() for tokens in written}
    for samples, known in ((learned, True), (held, False)):
        real = [s for s in samples if s.real]
        assert real
        for sample in real:
            assert (sample.tokens[1:41, 2].tobytes() in trained_on) == known
    made = [{s.tokens.tobytes() for s in part if not s.real} for part in (learned, held)]
    assert not made[0] & made[1]


def states(seed: int, *, apart: float) -> list[States]:
    """Groups of made-up states, those of real pieces further along one axis."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(60):
        real = bool(number % 2)
        rows = random.normal(size=(40, 8))
        rows[:, 0] += apart * real
        sample = Sample(np.zeros((41, 5), dtype=np.int16), 0, real, number // 2, "")
        found.append(States(sample, torch.tensor(rows, dtype=torch.float16)))
    return found


@pytest.mark.parametrize(("apart", "least", "most"), [(1.0, 0.95, 1.0), (0.0, 0.2, 0.8)])
def test_it_learns_what_can_be_learned_and_no_more(apart: float, least: float, most: float) -> None:
    critic = critics.train(states(0, apart=apart), 8, seed=0)
    found = figures(critics.answers(critic, states(1, apart=apart)))
    assert least <= found["auc"] <= most
    low, high = found["interval"]
    assert low <= found["auc"] <= high
    assert (low > 0.5) == (apart > 0)


def test_auc_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for _ in range(20):
        scores = random.integers(0, 8, 50).astype(np.float64)
        real = random.random(50) < 0.4
        assert area(scores, real) == pytest.approx(metrics.roc_auc_score(real, scores))


def test_figures_by_length_look_at_the_first_rows_alone() -> None:
    """Real pieces that begin well and end badly: found out by whoever reads to the end."""
    tokens = np.zeros((1, 5), dtype=np.int16)
    found = []
    for number in range(8):
        real = bool(number % 2)
        rows = np.full(300 - WARM_UP, 1.0 if real else -1.0)
        rows[64 - WARM_UP :] *= -1
        found.append(Answers(Sample(tokens, 0, real, number // 2, ""), rows))
    result = figures(found)
    assert result["by_rows"]["64"]["auc"] == 1.0
    assert result["by_rows"]["256"]["auc"] == result["auc"] == 0.0
    assert result["by_rows"]["1024"] == {
        "auc": None,
        "interval": None,
        "real": 0,
        "generated": 0,
    }
    assert result["with_prompt"]["auc"] is None


def test_every_other_tensor_keeps_its_bytes(plain: Checkpoint, judged: Path) -> None:
    with (
        safe_open(plain.folder / "model.safetensors", "pt") as before,
        safe_open(judged / "model.safetensors", "pt") as after,
    ):
        names = set(before.keys())
        added = set(after.keys()) - names
        assert added == {"critic.up", "critic.out", "critic.bias"}
        for name in names:
            assert torch.equal(
                before.get_tensor(name).view(torch.int16), after.get_tensor(name).view(torch.int16)
            )
    assert (judged / "tokenizer.json").read_bytes() == (
        plain.folder / "tokenizer.json"
    ).read_bytes()


def test_the_music_stays_as_it_was(plain: Checkpoint, judged: Path) -> None:
    made = []
    for known in (plain, load_checkpoint(judged)):
        continuation = Continuation(known, None, GenerateOptions(bars=4, seed=5, variations=(1, 2)))
        for _ in continuation.steps():
            pass
        made.append([continuation.rows(i).tobytes() for i in range(2)])
    assert made[0] == made[1]


def test_it_tells_noise_from_scales(judged: Path, dataset: Path) -> None:
    known = load_checkpoint(judged)
    held = known.training["critic"]["held_out"]
    assert held["auc"] > 0.9
    pieces = Pieces(dataset, "test")
    real = [pieces.tokens(i)[:100] for i in range(len(pieces))]
    continuation = Continuation(
        known, None, GenerateOptions(bars=10_000, seed=9, variations=(1, 2, 3, 4))
    )
    for done, _ in enumerate(continuation.steps(), 1):
        if done == 100:
            break
    made = [continuation.rows(i) for i in range(4)]
    assert min(log_odds(known, real)) > max(log_odds(known, made))


def test_record_and_card_say_how_well_it_does(judged: Path, plain: Checkpoint) -> None:
    known = load_checkpoint(judged)
    assert known.config.critic
    facts = known.training["critic"]
    assert known.training["steps"] == 3
    assert facts["weights"] == plain.hash
    assert facts["generated"] == 24
    card = (judged / "README.md").read_text(encoding="utf-8")
    assert f"**{facts['held_out']['auc']:.3f} (" in card
    assert card.index("## Critic") < card.index("## Limits")
    assert with_section(card, "## Critic\n\nAnother.\n").count("## Critic") == 1
    assert "Text.\n\n## Critic\n\nAnother.\n\n## Limits and use\n" in with_section(
        card, "## Critic\n\nAnother.\n"
    )
