"""Muon beside PyTorch's, and its orthogonalisation beside the singular value decomposition."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from musenet.training import muon
from musenet.training.muon import Muon, orthogonalised

SHAPES = [(12, 12), (20, 8), (6, 30)]


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def test_in_bfloat16_it_is_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "matmul_dtype", lambda *_: torch.bfloat16)
    ours, theirs = parameters(), parameters()
    own = Muon(ours, lr=0.01, weight_decay=0.1)
    peer = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(5):
        generator = torch.Generator().manual_seed(step)
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        own.step()
        peer.step()  # type: ignore[no-untyped-call]
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)
        torch.testing.assert_close(
            own.state[mine]["momentum_buffer"], peer.state[other]["momentum_buffer"]
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_come_near_one_and_directions_stay(
    shape: tuple[int, int], dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    matrix = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalised(matrix, dtype).float()
    turned = left.T @ found @ right.T
    values = turned.diagonal()
    assert values.min() > 0.3
    assert values.max() < 1.6
    assert (turned - torch.diag(values)).abs().max() < (1e-3 if dtype == torch.float32 else 0.1)


def test_the_matrix_itself_is_left_alone() -> None:
    matrix = torch.randn(4, 6)
    before = matrix.clone()
    orthogonalised(matrix, torch.float32)
    assert torch.equal(matrix, before)
