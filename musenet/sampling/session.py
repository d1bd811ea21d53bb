"""One request at the command line: load, sample with progress, write what there is, say so."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from musenet.checkpoint import load
from musenet.export import pictures
from tokenizer.files import write_bytes

from .compose import Composition, Result
from .options import Options
from .prompt import Prompt

_REDRAW_SECONDS = 0.1


def make(
    model: str, prompt: Prompt | None, options: Options, out: Path, picture: Path | None
) -> list[Path]:
    """Make all variations of a request and write them; Ctrl-C writes what there is.

    Args:
        model: a checkpoint's name or folder.
        prompt: what is continued, or None.
        options: what is asked for.
        out: the MIDI file; where there are several, each name gets its number.
        picture: the piano roll to draw, or None; numbered likewise.

    Returns:
        The MIDI files written.
    """
    composition = Composition(load(model), prompt, options)
    if composition.unheard:
        print(
            f"The prompt is longer than the model's context: its first {composition.unheard:,} "
            "notes stay in the file, and the model goes on from the rest."
        )
    began = time.perf_counter()
    stopped = _run(composition)
    took = time.perf_counter() - began
    written = []
    for result in composition.results():
        path = numbered(out, result.variation, options)
        write_bytes(path, result.data)
        written.append(path)
        print(_said(composition, result, path, took))
        if picture is not None:
            drawn = numbered(picture, result.variation, options)
            draw(composition, result, drawn)
            print(f"Picture: {drawn}")
    if stopped:
        print(f"Stopped before it was full; to go on: musenet generate {written[0]} --out MORE.mid")
    return written


def numbered(path: Path, variation: int, options: Options) -> Path:
    """The path for a variation: as given for one alone, with its number among several."""
    if len(options.variations) == 1:
        return path
    return path.with_name(f"{path.stem}-{variation}{path.suffix}")


def draw(composition: Composition, result: Result, path: Path) -> None:
    """Draw the piano roll of a result."""
    score = result.score
    lines = composition.bars.lines(0, max(score.end, result.end))
    boundary = None if composition.fresh else result.boundary
    pictures.save(score, lines, path, boundary=boundary, title=composition.title)


def _run(composition: Composition) -> bool:
    """Make the music with a line of progress; whether it was stopped by Ctrl-C."""
    steps = composition.steps()
    try:
        if sys.stderr.isatty():
            _with_progress(composition, steps)
        else:
            for _ in steps:
                pass
    except KeyboardInterrupt:
        return True
    return False


def _with_progress(composition: Composition, steps: Iterator[float]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    begin, end = composition.prompt.boundary, composition.end
    seconds = composition.prompt.score.seconds
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("listening to the prompt", total=max(1, end - begin))
        shown = 0.0
        for tick in steps:
            now = time.perf_counter()
            if now - shown < _REDRAW_SECONDS:
                continue
            shown = now
            bar = composition.bars.number(int(tick)) - composition.bars.number(begin) + 1
            music = float(seconds(int(tick))) - float(seconds(begin))
            words = f"bar {bar} · {_clock(music)} of music"
            progress.update(task, completed=min(tick, end) - begin, description=words)


def _said(composition: Composition, result: Result, path: Path, took: float) -> str:
    """One line about a result."""
    score = result.score
    music = float(score.seconds(max(score.end, result.boundary))) - float(
        score.seconds(result.boundary)
    )
    parts = [f"{result.notes:,} new notes", f"{_clock(music)} of music"]
    if not composition.fresh:
        parts.append(f"from bar {composition.bars.number(result.boundary) + 1} on")
    speed = f"{took:.1f} s, {music / max(took, 1e-9):.0f}× real time"
    recipe = f"seed {composition.options.seed}, variation {result.variation}"
    relaxed = "".join(f"; {name} relaxed {n} times" for name, n in result.relaxed.items())
    return f"{path}: {', '.join(parts)} ({recipe}; {speed}){relaxed}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
