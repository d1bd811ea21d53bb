"""Training LoRA: all weights stay, and each matrix of the layers learns a change of low rank.

While it trains, a matrix is computed from its parts, W + B·A, with B = 0 at first (Hu et al. 2022).
`musenet.model.adapter` is the folder that comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.utils import parametrize

from musenet.model.transformer import Transformer

MARK = "parametrizations."
"""What the names of parts and of the matrices that they change have in them."""


class LowRank(nn.Module):
    """What turns a matrix W [out, in] into W + B·A.

    Args:
        matrix: W.
        rank: of B·A.
    """

    def __init__(self, matrix: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = matrix.shape
        self.a = nn.Parameter(torch.empty(rank, columns).normal_(std=columns**-0.5))
        self.b = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, matrix: Tensor) -> Tensor:
        """W + B·A."""
        return matrix + self.b @ self.a


def attach(model: Transformer, rank: int) -> None:
    """Freeze a model, and give each matrix of its layers a change to learn."""
    model.requires_grad_(False)
    for block in model.blocks:
        for name, parameter in list(block.named_parameters(recurse=False)):
            if parameter.ndim == 2:
                change = LowRank(parameter.detach(), rank)
                parametrize.register_parametrization(block, name, change)


def merged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state that a plain model has with the same function; a plain one's as it is."""
    result = {_plain(name): tensor for name, tensor in state.items() if not _is_part(name)}
    parts = parts_of(state)
    for name in {key.rpartition(".")[0] for key in parts}:
        result[name] = result[name] + parts[f"{name}.b"] @ parts[f"{name}.a"]
    return result


def parts_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A and B of every matrix, as `MATRIX.a` and `MATRIX.b`, of a state with changes."""
    return {_plain(name): tensor for name, tensor in state.items() if _is_part(name)}


def parts_bytes(state: Mapping[str, Tensor]) -> bytes:
    """The same as a safetensors file in bf16."""
    parts = parts_of(state).items()
    return save({name: part.to("cpu", torch.bfloat16).contiguous() for name, part in parts})


def _is_part(name: str) -> bool:
    return MARK in name and not name.endswith(".original")


def _plain(name: str) -> str:
    """`blocks.0.query.a` for `blocks.0.parametrizations.query.0.a`, and the same for W."""
    start, mark, rest = name.partition(MARK)
    return start + rest.replace(".original", "").replace(".0.", ".") if mark else name
