"""Packed matrices give the product, for each row as without the others."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from musenet.decoding import prepacked_linear
from musenet.decoding.prepacked_linear import LANES, can_pack, product

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = [(130, 512), (256, 512), (512, 256), (1536, 512)]


def matrix(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
@pytest.mark.parametrize("batch", [1, 4, 8, 9])
@torch.inference_mode()
def test_products_are_those_of_float64(rows: int, columns: int, batch: int) -> None:
    weight, x = matrix(rows, columns), matrix(batch, columns)
    exact = x.double().numpy() @ weight.double().numpy().T
    np.testing.assert_allclose(product(weight)(x).numpy(), exact, atol=2e-4)


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
@torch.inference_mode()
def test_a_row_is_the_same_with_fewer_others(rows: int, columns: int) -> None:
    """To rounding: how many rows there are may change the order in which numbers are summed."""
    if not can_pack():
        pytest.skip("this PyTorch does not pack matrices")
    multiply, x = product(matrix(rows, columns)), matrix(64, columns)
    whole = multiply(x)
    for count in (LANES, 8, 16, 32):
        torch.testing.assert_close(multiply(x[:count]), whole[:count], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_what_is_not_packed_is_multiplied_as_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = matrix(512, 256)
    assert isinstance(product(weight, pack=False), partial)
    assert isinstance(product(weight[:8]), partial)
    assert isinstance(product(weight.bfloat16()), partial)
    monkeypatch.setattr(prepacked_linear, "can_pack", lambda: False)
    multiply, x = product(weight), matrix(LANES, 256)
    assert torch.equal(multiply(x), torch.nn.functional.linear(x, weight))


def test_a_pytorch_without_the_operations_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: torch.Tensor) -> prepacked_linear.Product:
        raise NotImplementedError("mkldnn::_reorder_linear_weight")

    monkeypatch.setattr(prepacked_linear, "_packed", missing)
    assert not can_pack.__wrapped__()
