"""MuseNet: the model, its training, sampling and evaluation, and the command line.

Importing the package is light: torch is loaded when one of the names below is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musenet.api import Model, load
    from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from musenet.model.config import ModelConfig, preset
    from musenet.model.transformer import Transformer

__version__ = "0.1.0"
__all__ = [
    "Checkpoint",
    "Model",
    "ModelConfig",
    "Transformer",
    "__version__",
    "load",
    "load_checkpoint",
    "preset",
    "save_checkpoint",
]

_HOMES = {
    "Checkpoint": "model.checkpoint",
    "Model": "api",
    "ModelConfig": "model.config",
    "Transformer": "model.transformer",
    "load": "api",
    "load_checkpoint": "model.checkpoint",
    "preset": "model.config",
    "save_checkpoint": "model.checkpoint",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'musenet' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
