"""An exponential moving average of the weights, which is validated and kept in place of them.

    average ← d · average + (1 − d) · weights    after step s, d = min(decay, (1 + s) / (10 + s))

The average of a run at a constant learning rate is about as good as weights whose rate has decayed
(Polyak & Juditsky 1992; "model EMA" in Tarvainen & Valpola 2017). The optimizer never sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..distributed import placed_like, whole

PREFIX = "average/"
"""What its tensors are called in a training checkpoint."""


class MovingAverage:
    """The average of a model's parameters, sharded as they are.

    Args:
        model: whose weights are averaged; the average starts with them.
        decay: d, at most.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._parameters = dict(model.named_parameters())
        self._decay = decay
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step`."""
        new = 1.0 - min(self._decay, (1 + step) / (10 + step))
        for name, parameter in self._parameters.items():
            _local(self._average[name]).lerp_(_local(parameter.detach()), new)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the context, the model has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def tensors(self) -> dict[str, Tensor]:
        """The whole average by name; every process must call this."""
        return {PREFIX + name: whole(tensor) for name, tensor in self._average.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` gave; a checkpoint without it leaves the model's weights."""
        for name, tensor in self._average.items():
            if PREFIX + name in state:
                tensor.copy_(placed_like(state[PREFIX + name], tensor))

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            own, other = _local(parameter.detach()), _local(self._average[name])
            kept = own.clone()
            own.copy_(other)
            other.copy_(kept)


def _local(tensor: Tensor) -> Tensor:
    """This process's part of a tensor."""
    from torch.distributed.tensor import DTensor

    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
