"""The lean towards neglected instruments, against its formula and in what it does."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.sampling.balance import Balance
from tokenizer.tokenizer import Tokenizer
from tokenizer.vocabulary import Tokens

VOCABULARY = Tokenizer.default().vocabulary


def rows(*programs: int) -> Tokens:
    return np.array([[2, p + 1, 61, 5, 10] for p in programs], dtype=np.int16)


def pushed(balance: Balance, program: int, times: int) -> None:
    for _ in range(times):
        row = rows(program)
        balance.push(row, VOCABULARY.is_note(row))


def test_while_shares_agree_nothing_is_moved() -> None:
    balance = Balance(rows(0, 40, 40, 128), (), VOCABULARY, 2, 1.0)
    bias = balance.bias()
    assert bias is not None
    assert np.abs(bias).max() < 0.01


def test_the_neglected_are_leaned_to_and_the_rest_is_left() -> None:
    heard = rows(*[128] * 50, *[0] * 30, *[33] * 20)
    balance = Balance(heard, (), VOCABULARY, 1, 1.0)
    pushed(balance, 128, 48)
    bias = balance.bias()
    assert bias is not None
    # After one half-life half of what is remembered is drums alone.
    expected = {128: np.log(0.5 / 0.75), 0: np.log(0.3 / 0.15), 33: np.log(0.2 / 0.1)}
    for program, lean in expected.items():
        assert bias[0, program + 1] == pytest.approx(lean, abs=0.02)
    others = np.delete(bias[0], [129, 1, 34])
    assert not others.any()


def test_the_lean_has_a_bound() -> None:
    balance = Balance(rows(*[0] * 99, 73), (), VOCABULARY, 1, 2.0)
    pushed(balance, 73, 1000)
    bias = balance.bias()
    assert bias is not None
    assert bias[0, 1] == 3.0
    assert bias[0, 74] == -3.0


def test_an_instrument_asked_for_counts_like_the_others() -> None:
    balance = Balance(rows(*[0] * 10, *[40] * 30), (73,), VOCABULARY, 1, 1.0)
    pushed(balance, 0, 30)
    bias = balance.bias()
    assert bias is not None
    # Shares 10, 30 and 20 of 60; the silent ones shrink alike, so they are leaned to alike.
    assert (
        bias[0, 74]
        == pytest.approx(bias[0, 41], abs=0.01)
        == pytest.approx(-np.log(0.5 ** (30 / 48)), abs=0.02)
    )


@pytest.mark.parametrize(("heard", "strength"), [(rows(0, 0), 1.0), (rows(0, 40), 0.0)])
def test_with_one_player_or_no_strength_there_is_nothing_to_do(
    heard: Tokens, strength: float
) -> None:
    assert Balance(heard, (), VOCABULARY, 1, strength).bias() is None
