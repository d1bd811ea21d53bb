"""Drawing from logits, against definitions written out one row at a time and against counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musenet.sampling.filters import FieldFilter, draw, filtered
from tokenizer.errors import InputError


def by_definition(logits: list[float], allowed: list[bool], how: FieldFilter) -> list[float]:
    """The filters in plain Python, straight from the papers."""
    top = max(z for z, ok in zip(logits, allowed, strict=True) if ok)
    weight = [
        math.exp((z - top) / how.temperature) if ok else 0.0
        for z, ok in zip(logits, allowed, strict=True)
    ]
    weight = [w if w >= how.min_p else 0.0 for w in weight]
    ranked = sorted(range(len(weight)), key=lambda i: (-weight[i], i))
    if how.top_k:
        ranked = ranked[: how.top_k]
    total = sum(weight[i] for i in ranked)
    kept: list[int] = []
    held = 0.0
    for i in ranked:
        if held >= how.top_p * total:
            break
        kept.append(i)
        held += weight[i]
    return [weight[i] / held if i in kept else 0.0 for i in range(len(weight))]


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.integers(-400, 400).map(lambda n: n / 100), min_size=7, max_size=7),
        min_size=1,
        max_size=4,
    ),
    mask=st.lists(st.booleans(), min_size=7, max_size=7),
    temperature=st.sampled_from([0.3, 0.8, 1.0, 1.7]),
    top_k=st.integers(0, 8),
    top_p=st.sampled_from([0.13, 0.5, 0.93, 1.0]),
    min_p=st.sampled_from([0.0, 0.03, 0.4]),
)
def test_filters_follow_their_definitions(
    rows: list[list[float]],
    mask: list[bool],
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
) -> None:
    mask[3] = True
    how = FieldFilter(temperature, top_k, top_p, min_p)
    got = filtered(np.array(rows), np.tile(mask, (len(rows), 1)), how)
    want = np.array([by_definition(row, mask, how) for row in rows])
    np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize(
    "how",
    [
        FieldFilter(),
        FieldFilter(top_p=0.93),
        FieldFilter(top_p=0.5),
        FieldFilter(0.8, top_k=3),
        FieldFilter(1.3, 5, 0.9, 0.05),
    ],
)
def test_draws_come_as_often_as_they_should(how: FieldFilter) -> None:
    logits = np.log([0.02, 0.05, 0.1, 0.03, 0.2, 0.2, 0.4])
    count = 200_000
    values = draw(
        np.tile(logits, (count, 1)),
        np.ones((count, 7), dtype=bool),
        how,
        np.random.default_rng(5).random(count),
    )
    frequency = np.bincount(values, minlength=7) / count
    want = np.array(by_definition(logits.tolist(), [True] * 7, how))
    # Four standard errors of each value.
    assert (np.abs(frequency - want) <= 4 * np.sqrt(want * (1 - want) / count)).all()


@settings(max_examples=200, deadline=None)
@given(
    row=st.lists(st.floats(-30, 30), min_size=5, max_size=5),
    uniform=st.floats(0, 1, exclude_max=True),
    top_k=st.integers(0, 5),
    top_p=st.sampled_from([0.01, 0.5, 0.93, 1.0]),
)
def test_only_values_that_the_filters_keep_are_drawn(
    row: list[float], uniform: float, top_k: int, top_p: float
) -> None:
    how = FieldFilter(top_k=top_k, top_p=top_p)
    allowed = np.array([[True, True, False, True, True]])
    value = draw(np.array([row]), allowed, how, np.array([uniform]))
    assert filtered(np.array([row]), allowed, how)[0, value] > 0


def test_masked_values_are_never_drawn_even_at_the_edges() -> None:
    logits = np.array([[9.0, 1.0, 1.0, 9.0]])
    allowed = np.array([[False, True, True, False]])
    for uniform in (0.0, 0.25, 0.5, np.nextafter(1.0, 0.0)):
        value = draw(logits, allowed, FieldFilter(), np.array([uniform]))
        assert value[0] == (1 if uniform < 0.5 else 2)


def test_temperature_zero_takes_the_likeliest_that_is_allowed() -> None:
    logits = np.array([[3.0, 2.0, 1.0], [0.0, 5.0, 9.0]])
    allowed = np.array([[False, True, True], [True, True, True]])
    value = draw(logits, allowed, FieldFilter(temperature=0), np.array([0.99, 0.99]))
    assert value.tolist() == [1, 2]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(16, 130)).astype(np.float32)
    uniform = rng.random(16)
    allowed = rng.random((16, 130)) < 0.7
    how = FieldFilter(0.9, 40, 0.95, 0.01)
    together = draw(logits, allowed, how, uniform)
    alone = [
        int(draw(logits[i : i + 1], allowed[i : i + 1], how, uniform[i : i + 1])[0])
        for i in range(16)
    ]
    assert together.tolist() == alone


def test_numbers_that_are_none_are_the_weights_fault() -> None:
    with pytest.raises(InputError, match="weights"):
        filtered(np.array([[np.nan, 1.0]]), np.ones((1, 2), dtype=bool), FieldFilter())
