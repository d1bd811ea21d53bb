"""Muon: momentum, orthogonalised (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

As `torch.optim.Muon`, with one difference: the products of the Newton–Schulz iteration run in
bfloat16 where that is fast, else in fp32. On a CPU without AVX-512 a product in bfloat16 takes
fifty times as long. The rate is in AdamW's scale (Liu et al. 2025, "Muon is scalable for LLM
training").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from musenet.model.precision import matmul_dtype

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_SMALLEST = 1e-7


class Muon(torch.optim.Optimizer):
    """Moves each matrix by the nearest orthogonal matrix to its Nesterov momentum.

    Args:
        parameters: matrices.
        lr: learning rate, in AdamW's scale.
        weight_decay: decoupled decay, in units of the learning rate.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step along the gradients."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter.grad)
                momentum = state["momentum_buffer"].lerp_(parameter.grad, 1 - _MOMENTUM)
                update = orthogonalised(
                    parameter.grad.lerp(momentum, _MOMENTUM),
                    matmul_dtype("auto", parameter.device),
                )
                parameter.mul_(1 - rate * decay)
                parameter.add_(update, alpha=-rate * 0.2 * max(parameter.shape) ** 0.5)
        return loss


def orthogonalised(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Nearly the orthogonal factor of a matrix [A, B], by five quintic Newton–Schulz steps.

    Its singular values come to lie between about 0.5 and 1.5, which serves as well as 1.
    """
    a, b, c = _COEFFICIENTS
    x = matrix.to(dtype, copy=True)
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        x = x.T
    x.div_(x.norm().clamp(min=_SMALLEST))
    for _ in range(_STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
