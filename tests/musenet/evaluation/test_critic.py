from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from musenet.evaluation.critic import WARM_UP, as_written, log_odds
from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from tokenizer import read
from tokenizer.encoding.structure import structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.midi.read import to_bytes
from tokenizer.typing import Tokens

FIXTURES = Path(__file__).parents[2] / "fixtures" / "midi"
HYMN = FIXTURES / "bach_warum_betruebst_du_dich.mid"


Judge = Callable[..., Checkpoint]


@pytest.fixture(scope="module")
def judge(model_for: Callable[..., Transformer]) -> Judge:
    def made(folder: Path, *, critic: bool) -> Checkpoint:
        tokenizer = Tokenizer.default(composers=["bach"])
        save_checkpoint(folder, model_for(tokenizer, noise=0.15, critic=critic), tokenizer, {})
        return load_checkpoint(folder)

    return made


@pytest.fixture(scope="module")
def critical(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return judge(tmp_path_factory.mktemp("critic") / "tiny", critic=True)


def encoded(known: Checkpoint, file: Path = HYMN, labels: Labels | None = None) -> Tokens:
    return known.tokenizer.encode(read(file), labels)


def test_it_is_the_critics_mean_over_the_rows(critical: Checkpoint) -> None:
    tokenizer = critical.tokenizer
    assert critical.model.critic is not None
    rows = as_written(encoded(critical), tokenizer)[:100]
    (found,) = log_odds(critical, [rows])
    opening = tokenizer.prefix(Labels(time_signature=(4, 4)))
    assert tokenizer.vocabulary.prefix_length(rows) == 1
    whole = np.concatenate([opening[:1], rows]).astype(np.int64)
    columns = structure(whole.astype(np.int16), tokenizer.vocabulary).astype(np.int64)
    with torch.no_grad():
        states = critical.model.trunk(torch.tensor(whole)[None], torch.tensor(columns)[None])
        answers = critical.model.critic(states[0])
    assert found == pytest.approx(answers[len(opening) + WARM_UP :].mean().item(), rel=1e-4)


def test_labels_and_the_end_change_nothing_but_notes_do(critical: Checkpoint) -> None:
    plain = encoded(critical, labels=Labels(time_signature=(4, 4)))
    told = encoded(critical, labels=Labels("bach", (), (0,), 100.0, (4, 4)))
    other = plain.copy()
    other[60:120, 2] = np.maximum(other[60:120, 2] - 1, 1) * (other[60:120, 2] > 0)
    one, two, cut, different = log_odds(critical, [plain, told, plain[:-1], other])
    assert one == pytest.approx(two, rel=1e-5)
    assert one == pytest.approx(cut, rel=1e-5)
    assert abs(one - different) > 1e-4


def test_a_piece_is_judged_alike_alone_and_among_others(critical: Checkpoint) -> None:
    pieces = [encoded(critical, file) for file in sorted(FIXTURES.glob("*.mid"))[:4]]
    together = log_odds(critical, pieces)
    alone = [log_odds(critical, [piece])[0] for piece in pieces]
    assert together == pytest.approx(alone, rel=1e-4)


def test_a_piece_longer_than_the_context_is_judged_to_its_end(critical: Checkpoint) -> None:
    piece = encoded(critical, FIXTURES / "bach_mass_in_b_minor_22.mid")
    assert len(piece) > 2 * critical.config.context
    changed = piece.copy()
    changed[-20:-1, 4] = 1 + (changed[-20:-1, 4] + 15) % 32
    first, second = log_odds(critical, [piece, changed])
    assert first != pytest.approx(second, rel=1e-6)


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.mid")), ids=lambda path: path.stem)
def test_what_is_judged_is_what_stands_in_a_file(critical: Checkpoint, file: Path) -> None:
    tokenizer = critical.tokenizer
    written = as_written(encoded(critical, file), tokenizer)
    again = tokenizer.body(read(to_bytes(tokenizer.decode(written))))
    np.testing.assert_array_equal(written[1:], again)


def test_without_critic_or_music_it_says_so(
    critical: Checkpoint, judge: Judge, tmp_path: Path
) -> None:
    piece = encoded(critical)
    with pytest.raises(InputError, match="train-critic"):
        log_odds(judge(tmp_path / "plain", critic=False), [piece])
    with pytest.raises(InputError, match="piece 2 of 2"):
        log_odds(critical, [piece, piece[:3]])
