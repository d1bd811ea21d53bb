"""MuseNet: the model, its training, sampling and evaluation, and the command line.

Importing the package is light: torch is loaded when one of the names below is first used.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musenet.api import FilledSong, Model, Note, Song, Songs, load
    from musenet.data import WindowDataset, WindowStream
    from musenet.editing.piece import read_piece
    from musenet.evaluation.note_bits import NoteBits
    from musenet.generation.prompt import read_prompt
    from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from musenet.model.config import ModelConfig, preset
    from musenet.model.portable import export_onnx, export_program
    from musenet.model.transformer import Transformer
    from musenet.options.fill_options import AccompanyOptions, FillOptions
    from musenet.options.generate_options import GenerateOptions
    from musenet.training.settings import Settings
    from musenet.training.start import resume_run, start_run

__version__ = "0.1.0"

_HOMES = {
    "AccompanyOptions": "options.fill_options",
    "Checkpoint": "model.checkpoint",
    "FillOptions": "options.fill_options",
    "FilledSong": "api",
    "GenerateOptions": "options.generate_options",
    "Model": "api",
    "ModelConfig": "model.config",
    "Note": "api",
    "NoteBits": "evaluation.note_bits",
    "Settings": "training.settings",
    "Song": "api",
    "Songs": "api",
    "Transformer": "model.transformer",
    "WindowDataset": "data",
    "WindowStream": "data",
    "export_onnx": "model.portable",
    "export_program": "model.portable",
    "load": "api",
    "load_checkpoint": "model.checkpoint",
    "preset": "model.config",
    "read_piece": "editing.piece",
    "read_prompt": "generation.prompt",
    "resume_run": "training.start",
    "save_checkpoint": "model.checkpoint",
    "start_run": "training.start",
}
__all__ = [
    "AccompanyOptions",
    "Checkpoint",
    "FillOptions",
    "FilledSong",
    "GenerateOptions",
    "Model",
    "ModelConfig",
    "Note",
    "NoteBits",
    "Settings",
    "Song",
    "Songs",
    "Transformer",
    "WindowDataset",
    "WindowStream",
    "__version__",
    "export_onnx",
    "export_program",
    "load",
    "load_checkpoint",
    "preset",
    "read_piece",
    "read_prompt",
    "resume_run",
    "save_checkpoint",
    "start_run",
]


def _check_siblings() -> None:
    """Refuse to run on another distribution's `tokenizer` or `data_prep`.

    The package index has others of these names, which can stand before ours or be written over it.
    """
    for name in ("tokenizer", "data_prep"):
        try:
            module: object = import_module(name)
        except Exception:  # whatever another distribution's package raises
            module = None
        if getattr(module, "PART_OF", None) != "musenet":
            found = getattr(module, "__file__", None)
            where = f"in {Path(found).parent}" if found else "that Python finds, if any,"
            raise ImportError(
                f"the package '{name}' {where} is not musenet's: another distribution has one of "
                f"that name; pip uninstall {name}, then pip install --force-reinstall musenet"
            )


_check_siblings()


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'musenet' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
