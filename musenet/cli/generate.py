"""`musenet generate`: continue a MIDI file, or generate a new piece."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError, unknown

from .options import Candidates, Force, Keep, Weights, takes

_OUTPUT = "Output"


@takes(GenerateOptions)
def generate(
    options: GenerateOptions,
    prompt: Annotated[
        Path | None,
        typer.Argument(
            help="MIDI or MusicXML file to continue, or a folder of them; leave it out for a new "
            "piece.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="MIDI or MusicXML file to write; a folder if PROMPT is one.",
        ),
    ] = None,
    weights: Weights = "mini",
    candidates: Candidates = None,
    keep: Keep = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Piano roll to write, .png or .svg.", rich_help_panel=_OUTPUT),
    ] = None,
    render: Annotated[
        Path | None,
        typer.Option(help="Audio file to write, .wav or .flac.", rich_help_panel=_OUTPUT),
    ] = None,
    soundfont: Annotated[
        Path | None,
        typer.Option(
            help="SoundFont to render with.", rich_help_panel=_OUTPUT, show_default="the system's"
        ),
    ] = None,
    stems: Annotated[
        Path | None,
        typer.Option(
            help="Folder for one MIDI file per instrument track.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    only_continuation: Annotated[
        bool,
        typer.Option(
            "--only-continuation", help="Leave the prompt out of the file.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Rewrite the file after every new bar.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    force: Force = False,
    play: Annotated[
        bool,
        typer.Option(
            "--play",
            help="Play the new music, through FluidSynth or a MIDI port.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    port: Annotated[
        str | None,
        typer.Option(
            help="MIDI output port to play on.",
            rich_help_panel=_OUTPUT,
            show_default="FluidSynth, else the first port",
        ),
    ] = None,
    list_: Annotated[
        str | None,
        typer.Option("--list", help="List composers, styles or instruments, and exit."),
    ] = None,
) -> None:
    """Continue a MIDI file, or generate a new piece."""
    from musenet.generation.outputs import Outputs

    if list_ is not None:
        print("\n".join(names(list_, weights)))
        return
    if out is None:
        raise InputError("no output file is given; add --out OUT.mid")
    if prompt is None and (options.begin or options.stop):
        raise InputError(
            "--from and --to select part of a prompt; give a prompt, or leave them out"
        )
    if prompt is None and options.hear_as:
        raise InputError("--as is about the tracks of a prompt; give a prompt, or leave it out")
    kept = best_of(candidates, keep, options.variations)
    if kept is not None and stream:
        raise InputError(
            "--stream writes each bar immediately, so it cannot be used with --candidates"
        )
    if candidates is not None:
        options = replace(options, variations=tuple(range(1, candidates + 1)))
    outputs = Outputs(
        midi=out,
        picture=picture,
        stems=stems,
        alone=only_continuation,
        stream=stream,
        render=render,
        soundfont=soundfont,
        keep=kept,
        force=force,
        play=play or port is not None,
        port=port,
    )
    from .generate_run import run

    run(weights, prompt, options, outputs)


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write into.", show_default="demo")
    ] = Path("demo"),
    play: Annotated[
        bool, typer.Option("--play", help="Play the new music, through FluidSynth or a MIDI port.")
    ] = False,
) -> None:
    """Continue a hymn tune that comes with the program, and say where MIDI and picture are."""
    from musenet.generation.outputs import Outputs
    from musenet.studio.about import openings

    midi, picture = out / "chorale.mid", out / "chorale.png"
    outputs = Outputs(midi, picture=picture, keep=1, force=True, play=play)
    options = GenerateOptions(bars=16, ending=True, variations=tuple(range(1, 9)))
    from .generate_run import run

    run("mini", openings()["chorale"], options, outputs)
    print(f"Listen to {midi} and look at {picture}.")


def best_of(candidates: int | None, keep: int | None, variations: tuple[int, ...]) -> int | None:
    """How many of the candidates to keep, or None to keep all variations.

    Raises:
        InputError: if `keep` is larger than `candidates`, or variations are given as well.
    """
    if candidates is None:
        if keep is not None:
            raise InputError("--keep needs --candidates; give both")
        return None
    if variations != (1,):
        raise InputError("--candidates and --variations exclude each other; give one of them")
    kept = 1 if keep is None else keep
    if not 1 <= kept <= candidates:
        raise InputError(
            f"--keep {kept} does not fit --candidates {candidates}; keep 1 to {candidates}"
        )
    return kept


def names(kind: str, model: str) -> list[str]:
    """The lines that `--list` prints for composers, styles or instruments.

    Raises:
        InputError: if the kind is unknown, or the checkpoint cannot be read.
    """
    kinds = ("composers", "styles", "instruments")
    if kind not in kinds:
        raise unknown("list", kind, kinds)
    if kind == "instruments":
        from tokenizer.instruments import PROGRAM_NAMES

        return [f"{number:3d}  {name}" for number, name in enumerate(PROGRAM_NAMES)]
    from musenet.model.checkpoint import tokenizers_of
    from musenet.model.config import checkpoint_folder
    from tokenizer.labels import composer_name

    vocabulary = tokenizers_of(checkpoint_folder(model), learned=True)[0].vocabulary
    if kind == "styles":
        return sorted(vocabulary.names("style"))
    return sorted(f"{name:24s} {composer_name(name)}" for name in vocabulary.names("composer"))
