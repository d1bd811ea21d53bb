"""Far keys in the same softmax: values and gradients against the T×T mask of the specification."""

from __future__ import annotations

import pytest
import torch

from musenet.attention.attend import attend
from musenet.attention.sparse_attention import sparse_attention


@pytest.mark.parametrize("pattern", ["strided", "fixed"])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("length", "row_length"), [(8, 8), (32, 8), (48, 16), (5, 1)])
def test_values_and_gradients_equal_the_masked_scores(
    pattern: str, groups: int, length: int, row_length: int
) -> None:
    torch.manual_seed(0)
    q = torch.randn(2, length, 4, 6, dtype=torch.float64, requires_grad=True)
    k, v = (
        torch.randn(2, length, groups, 6, dtype=torch.float64, requires_grad=True) for _ in "kv"
    )
    g = torch.randn(2, length, 4, 6, dtype=torch.float64)
    found = sparse_attention(q, k, v, pattern, row_length)
    expected = attend(q, k, v, pattern, row_length, "reference")
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found, (q, k, v), g),
        torch.autograd.grad(expected, (q, k, v), g),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
