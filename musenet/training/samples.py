"""Music made on the way: what a run's model writes at a step, to be listened to and looked at."""

from __future__ import annotations

from pathlib import Path

from musenet.cli.generate_run import draw
from musenet.generation.options import GenerateOptions
from musenet.generation.session import Composition
from musenet.model.checkpoint import Checkpoint
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.files import write_bytes

BARS = 8


def sample(model: Transformer, tokenizer: Tokenizer, folder: Path, step: int) -> Path:
    """Write eight bars without a prompt as `FOLDER/<step>.mid` and `.png`; gives the MIDI file."""
    checkpoint = Checkpoint(
        model=model.eval(),
        tokenizer=tokenizer,
        config=model.config,
        training={},
        hash="",
        folder=folder,
    )
    composition = Composition(checkpoint, None, GenerateOptions(bars=BARS, seed=step))
    for _ in composition.steps():
        pass
    (result,) = composition.results()
    file = folder / f"{step:08d}.mid"
    write_bytes(file, result.data)
    draw(composition, result, file.with_suffix(".png"))
    return file
