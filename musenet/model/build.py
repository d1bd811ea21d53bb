"""From stored parameters to a Transformer, and back."""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import save
from torch.overrides import TorchFunctionMode

from .stored import FORMAT, StoredModel
from .transformer import Transformer


class _Undrawn(TorchFunctionMode):
    """Skips random initialisation, because the stored values replace it.

    The meta device would work too, but loads PyTorch's compiler, which takes over a second.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return args[0] if func is torch.Tensor.normal_ else func(*args, **(kwargs or {}))


def build(
    stored: StoredModel,
    device: str | torch.device = "cpu",
    compute: torch.dtype | None = None,
) -> Transformer:
    """The Transformer of stored parameters, in evaluation mode.

    Args:
        stored: with the parameters of its configuration (`musenet.model.stored.parameter_shapes`).
        device: where the parameters go.
        compute: dtype of the matmuls; None computes in fp32.
    """
    with torch.device(device), _Undrawn():
        model = Transformer(stored.config, compute)
    tensors = {name: torch.from_numpy(array) for name, array in stored.parameters.items()}
    model.load_state_dict(tensors)
    return model.eval()


def stored_bytes(model: Transformer) -> bytes:
    """A model's parameters as safetensors in bf16."""
    tensors = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
    }
    return save(tensors, metadata={"format": FORMAT})
