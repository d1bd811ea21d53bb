"""One `musenet generate` run: load, sample with progress, write the files, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from musenet.export import audio, piano_roll
from musenet.export.music_files import MUSIC_SUFFIXES, save_music
from musenet.generation.outputs import Outputs, numbered, stem_name
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.reranking import ranked, table
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer.encoding.controls import unknown_meters
from tokenizer.errors import InputError
from tokenizer.files import write_bytes

from .progress import counted, minutes, watched
from .start import deferred, raised


def run(model: str, prompt: Path | None, options: GenerateOptions, outputs: Outputs) -> None:
    """Check, read, load and generate; the cheapest checks come first.

    Args:
        model: a name or a checkpoint folder.
        prompt: a MIDI file or a folder of them; None for a new piece.
        options: of the music.
        outputs: the files to write.

    Raises:
        InputError: before anything is written; for a folder of prompts, at the end if some of
            them failed.
    """
    folder = prompt is not None and prompt.is_dir()
    outputs.check(folder=folder)
    given = None
    if prompt is not None and not folder:
        given = _read(prompt, options)
    checkpoint = load_checkpoint(model, learned=True)
    if prompt is None or not folder:
        prompts = [] if prompt is None else [prompt]
        make(checkpoint, given, options, outputs.unused(options.variations, *prompts))
    elif refused := make_each(checkpoint, prompt, options, outputs):
        raise InputError("; ".join(refused))


def _read(path: Path, options: GenerateOptions) -> Prompt:
    return read_prompt(
        path,
        begin=options.begin,
        stop=options.stop,
        hear_as=options.hear_as,
        find_beats=options.find_beats,
    )


def make(
    checkpoint: Checkpoint, prompt: Prompt | None, options: GenerateOptions, outputs: Outputs
) -> bool:
    """Generate all variations and write them; Ctrl-C writes what is finished so far.

    Returns:
        False if it was stopped by Ctrl-C.

    Raises:
        InputError: if the options cannot be met, before anything is written.
    """
    continuation = Continuation(checkpoint, prompt, options)
    if heard := str(continuation.prompt.hearing):
        print(heard)
    if left_out := continuation.beyond_context:
        print(
            f"The prompt is longer than the model's context: its first {left_out:,} notes stay in "
            "the file, and the model continues from the rest."
        )
    if lost := unknown_meters(continuation.prompt.score, checkpoint.tokenizer.vocabulary):
        print(
            f"The model's vocabulary has no time signature {', '.join(lost)}: it stays in the "
            "file, and the model counts on in the one before it, or in 4/4."
        )
    for words in continuation.words:
        print(words)
    began = time.perf_counter()
    with deferred():  # what has been made is written, however often Ctrl-C is pressed
        stopped = _run(continuation, outputs)
        took = time.perf_counter() - began
        results = continuation.results()
        many = min(len(results), outputs.keep or len(results)) > 1
        if stopped:
            results = [result for result in results if result.notes]
        if outputs.keep is not None and results:
            results = _best(checkpoint, continuation, results, outputs.keep)
        for result in results:
            _write(continuation, result, outputs, many=many)
            print(
                _said(
                    continuation, result, numbered(outputs.midi, result.variation, many=many), took
                )
            )
    if not results:
        print("Stopped before the first new note: nothing was written.")
        return False
    if stopped:
        first = numbered(outputs.midi, results[0].variation, many=many)
        print(f"Stopped early; to continue: musenet generate {first} --out MORE.mid")
    for result in results:
        _write_more(result, continuation, outputs, many=many)
    if outputs.play and not stopped:
        _play(results, outputs)
    return not stopped


def make_each(
    checkpoint: Checkpoint,
    folder: Path,
    options: GenerateOptions,
    outputs: Outputs,
) -> list[str]:
    """Continue every MIDI file of a folder; the paths of `outputs` are folders too.

    Args:
        checkpoint: the model.
        folder: with files named .mid, .midi or .kar, or MusicXML files.
        options: for all of them.
        outputs: where each file's results go, under its own name.

    Returns:
        One message per file that failed.

    Raises:
        InputError: if the folder has no MIDI file.
    """
    suffixes = (*MUSIC_SUFFIXES, ".kar")
    prompts = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    if not prompts:
        raise InputError(f"{folder} has no MIDI files (.mid)")
    refused = []
    for path in prompts:
        own = replace(
            outputs,
            midi=outputs.midi / f"{path.stem}.mid",
            picture=outputs.picture / f"{path.stem}.png" if outputs.picture else None,
            stems=outputs.stems / path.stem if outputs.stems else None,
            render=outputs.render / f"{path.stem}.wav" if outputs.render else None,
        )
        try:
            given = _read(path, options)
            if not make(checkpoint, given, options, own.unused(options.variations, *prompts)):
                break
        except InputError as error:
            refused.append(str(error))
    return refused


def _best(
    checkpoint: Checkpoint, continuation: Continuation, results: list[Result], keep: int
) -> list[Result]:
    """The best results, after printing the ranking."""
    rows = ranked(checkpoint, continuation, results)
    print(table(rows, keep))
    return [result for result, _ in rows[:keep]]


def _write(continuation: Continuation, result: Result, outputs: Outputs, *, many: bool) -> None:
    """Write the music of one result, with a numbered name if there are several."""
    path = numbered(outputs.midi, result.variation, many=many)
    data = result.alone if outputs.alone else result.data
    shift = result.bar if outputs.alone else 0
    chords = [(max(t - shift, 0), name) for t, name in continuation.chord_symbols if t >= shift]
    save_music(data, path, title=continuation.title, chords=chords)


def _write_more(
    result: Result, continuation: Continuation, outputs: Outputs, *, many: bool
) -> None:
    """Write the other files of one result: sound, picture, stems."""
    if outputs.render is not None:
        data = result.alone if outputs.alone else result.data
        audio.save(data, numbered(outputs.render, result.variation, many=many), outputs.soundfont)
    if outputs.picture is not None:
        path = numbered(outputs.picture, result.variation, many=many)
        write_bytes(path, continuation.piano_roll(result, piano_roll.check_format(path)))
    if outputs.stems is not None:
        folder = numbered(outputs.stems, result.variation, many=many)
        for number, (name, data) in enumerate(result.stems, 1):
            write_bytes(folder / stem_name(number, name), data)


def _play(results: list[Result], outputs: Outputs) -> None:
    """Play the new music of each result until Ctrl-C is pressed."""
    play = audio.player(outputs.soundfont, outputs.port)
    raised()
    try:
        for result in results:
            print(f"Playing variation {result.variation}; Ctrl-C stops.", flush=True)
            play(result.alone)
    except KeyboardInterrupt:
        print("Stopped playing.")


def _run(continuation: Continuation, outputs: Outputs) -> bool:
    """Generate with a progress line; returns whether Ctrl-C stopped it."""
    steps = continuation.steps()
    if outputs.stream:
        steps = _streamed(continuation, steps, outputs)
    try:
        watched(continuation, steps)
    except KeyboardInterrupt:
        return True
    return False


def _streamed(
    continuation: Continuation, steps: Iterator[float], outputs: Outputs
) -> Iterator[float]:
    """The steps; the files are rewritten at the first note and after each new bar."""
    full = continuation.bars.number(continuation.prompt.boundary) - 1
    many = len(continuation.options.variations) > 1
    for tick in steps:
        bar = continuation.bars.number(int(tick))
        if bar > full:
            full = bar
            for result in continuation.results():
                data = result.alone if outputs.alone else result.data
                write_bytes(numbered(outputs.midi, result.variation, many=many), data)
        yield tick


def _said(continuation: Continuation, result: Result, path: Path, took: float) -> str:
    """The lines printed about a result."""
    score = result.score
    music = float(score.seconds(max(score.end, result.boundary))) - float(
        score.seconds(result.boundary)
    )
    parts = [counted(result.notes, "new note"), f"{minutes(music)} of music"]
    if not continuation.fresh:
        parts.append(f"from bar {continuation.bars.number(continuation.prompt.boundary) + 1}")
    speed = f"{took:.1f} s, {music / max(took, 1e-9):.0f}× real time"
    recipe = f"seed {continuation.options.seed}, variation {result.variation}"
    relaxed = "".join(f"; {name} relaxed {n} times" for name, n in result.relaxed.items())
    return f"{path}: {', '.join(parts)} ({recipe}; {speed}){relaxed}\n  {result.adherence}"
