"""Adam with everything in half precision: weights, gradients and both moments in float16.

After Jukebox (Dhariwal et al. 2020, arXiv:2005.00341, appendix B): a moment is stored as a scale
and float16 values; at every step the scale is chosen so that the largest value is the largest
float16 number. Here a matrix has a scale per row, and the square root of the second moment is
stored, which doubles its range. The loss is multiplied by a scale that is halved when a gradient
overflows and doubled after many steps without; a step that overflows is skipped.

16 bytes per parameter become 8. Arithmetic is in fp32; where the weights are used, they are rounded
to the type of the matrix products, never multiplied in float16.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

LARGEST = torch.finfo(torch.float16).max
FIRST_SCALE = 2.0**12
LARGEST_SCALE = 2.0**20
GOOD_STEPS = 500
"""Steps without an overflow after which the loss scale is doubled."""


def store_in_half(model: nn.Module) -> None:
    """Convert a model's parameters to float16; the output of its embeddings stays fp32."""
    model.half()
    for module in model.modules():
        if hasattr(module, "sizes"):
            module.register_forward_hook(lambda _module, _inputs, output: output.float())


def packed(value: Tensor) -> tuple[Tensor, Tensor]:
    """A tensor as float16 values and a scale, per row or for all."""
    largest = (
        value.abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True)
        if value.ndim > 1
        else (value.abs().max())
    )
    scale = (largest / LARGEST).clamp_min(1e-30)
    return (value / scale).half(), scale


class HalfAdam(torch.optim.Optimizer):
    """AdamW on float16 parameters with packed moments.

    Attributes:
        loss_scale: factor for the loss.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip: float = math.inf,
    ) -> None:
        """`clip` is the largest norm of the unscaled gradient; the rest is as in AdamW."""
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        self.loss_scale = FIRST_SCALE
        self._clip = clip
        self._good = 0

    def extra(self) -> dict[str, float]:
        """Optimizer state that belongs to no parameter."""
        return {"loss_scale": self.loss_scale, "good_steps": float(self._good)}

    def take(self, extra: dict[str, float]) -> None:
        """Restore a state from `extra`."""
        self.loss_scale, self._good = extra["loss_scale"], int(extra["good_steps"])

    @torch.no_grad()
    def norm(self) -> Tensor:
        """The norm of all gradients, without the loss scale; not finite where one overflowed."""
        squares = [
            parameter.grad.float().square().sum(dtype=torch.float64)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        return torch.stack(squares).sum().sqrt() / self.loss_scale

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters, or halve the loss scale if a gradient overflowed."""
        loss = None if closure is None else closure()
        norm = float(self.norm())
        if not math.isfinite(norm):
            self.loss_scale, self._good = max(1.0, self.loss_scale / 2), 0
            return loss
        factor = min(1.0, self._clip / max(norm, 1e-12)) / self.loss_scale
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad.float() * factor, group)
        self._good += 1
        if self._good >= GOOD_STEPS:
            self.loss_scale, self._good = min(LARGEST_SCALE, 2 * self.loss_scale), 0
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            zero = torch.zeros_like(gradient)
            state["step"] = torch.tensor(0.0)
            state["mean"], state["mean_scale"] = packed(zero)
            state["root"], state["root_scale"] = packed(zero)
        first, second = group["betas"]
        state["step"] += 1
        count = float(state["step"])
        mean = (state["mean"].float() * state["mean_scale"]).lerp_(gradient, 1 - first)
        square = (state["root"].float() * state["root_scale"]).square_()
        square.lerp_(gradient.square(), 1 - second)
        root = square.sqrt()
        change = (mean / (1 - first**count)) / (root / math.sqrt(1 - second**count) + group["eps"])
        weight = parameter.float()
        weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(change, alpha=group["lr"])
        parameter.copy_(weight)
        state["mean"], state["mean_scale"] = packed(mean)
        state["root"], state["root_scale"] = packed(root)
