"""`musenet generate`: continue a MIDI file, or make a piece from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tokenizer.errors import InputError

_ASK, _LENGTH, _DRAW, _LIMIT, _WRITE = "Ask for", "Length", "Draw", "Guarantee", "Write"


def generate(
    prompt: Annotated[
        Path | None,
        typer.Argument(help="MIDI file to go on with, or a folder of them; none: a new piece."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="MIDI file to write.")] = None,
    weights: Annotated[
        str, typer.Option(help="A shipped model's name, or a checkpoint folder.")
    ] = "mini",
    bars: Annotated[
        int | None, typer.Option(help="New bars. [default: 16]", rich_help_panel=_LENGTH)
    ] = None,
    length: Annotated[
        str | None, typer.Option(help="Of the whole piece: 3:30.", rich_help_panel=_LENGTH)
    ] = None,
    end: Annotated[
        bool, typer.Option("--end", help="Come to a real ending.", rich_help_panel=_LENGTH)
    ] = False,
    from_: Annotated[
        str | None,
        typer.Option("--from", help="Hear the prompt from bar 5, or 12s.", rich_help_panel=_LENGTH),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Go on after bar 8, or at 0:20.", rich_help_panel=_LENGTH),
    ] = None,
    composer: Annotated[
        str | None, typer.Option(help="In whose manner.", rich_help_panel=_ASK)
    ] = None,
    style: Annotated[
        list[str] | None, typer.Option(help="Such as baroque, jazz.", rich_help_panel=_ASK)
    ] = None,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument", "--instruments", help="Such as piano,violin.", rich_help_panel=_ASK
        ),
    ] = None,
    tempo: Annotated[
        float | None, typer.Option(help="Quarters a minute.", rich_help_panel=_ASK)
    ] = None,
    meter: Annotated[str | None, typer.Option(help="Such as 3/4.", rich_help_panel=_ASK)] = None,
    key: Annotated[
        str | None, typer.Option(help="Such as 'D minor'.", rich_help_panel=_ASK)
    ] = None,
    only_instruments: Annotated[
        list[str] | None, typer.Option(help="Nothing else plays.", rich_help_panel=_LIMIT)
    ] = None,
    new_instruments: Annotated[
        bool,
        typer.Option(
            "--new-instruments", help="Others than the prompt's may come in.", rich_help_panel=_ASK
        ),
    ] = False,
    polyphony: Annotated[
        int | None, typer.Option(help="Most notes at once.", rich_help_panel=_LIMIT)
    ] = None,
    density: Annotated[
        int | None,
        typer.Option(help="Most notes begun in a quarter.", rich_help_panel=_LIMIT),
    ] = None,
    unisons: Annotated[
        bool,
        typer.Option(help="Two instruments on one pitch at once.", rich_help_panel=_LIMIT),
    ] = True,
    scale: Annotated[
        str | None,
        typer.Option(help="Only these notes: 'D dorian'.", rich_help_panel=_LIMIT),
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(
            help="Keep the prompt's players at it; 0 does not. [default: 1]", rich_help_panel=_ASK
        ),
    ] = None,
    temperature: Annotated[
        str | None,
        typer.Option(help="1 is natural; or pitch=0.9,duration=1.1.", rich_help_panel=_DRAW),
    ] = None,
    top_k: Annotated[
        str | None, typer.Option(help="Of the k likeliest values.", rich_help_panel=_DRAW)
    ] = None,
    top_p: Annotated[
        str | None,
        typer.Option(help="Of the likeliest that hold this share.", rich_help_panel=_DRAW),
    ] = None,
    min_p: Annotated[
        str | None,
        typer.Option(help="Of those at least so likely as the first.", rich_help_panel=_DRAW),
    ] = None,
    repetition: Annotated[
        float | None,
        typer.Option(
            help="How strongly endless loops are broken; 1 does not. [default: 1.5]",
            rich_help_panel=_DRAW,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same music.", rich_help_panel=_DRAW)
    ] = None,
    variations: Annotated[
        int, typer.Option(help="How many, made side by side.", rich_help_panel=_WRITE)
    ] = 1,
    variation: Annotated[
        int | None, typer.Option(help="Only this one of them.", rich_help_panel=_WRITE)
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(help="Make so many and keep the best.", rich_help_panel=_WRITE),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(help="How many candidates to keep. [default: 1]", rich_help_panel=_WRITE),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Piano roll to draw, .png or .svg.", rich_help_panel=_WRITE),
    ] = None,
    render: Annotated[
        Path | None,
        typer.Option(help="Audio to render, .wav or .flac.", rich_help_panel=_WRITE),
    ] = None,
    soundfont: Annotated[
        Path | None,
        typer.Option(help="To render with. [default: the system's]", rich_help_panel=_WRITE),
    ] = None,
    stems: Annotated[
        Path | None,
        typer.Option(help="Folder for a file an instrument.", rich_help_panel=_WRITE),
    ] = None,
    only_continuation: Annotated[
        bool,
        typer.Option(
            "--only-continuation", help="Leave the prompt out of the file.", rich_help_panel=_WRITE
        ),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Write with every new bar.", rich_help_panel=_WRITE),
    ] = False,
    list_: Annotated[
        str | None,
        typer.Option("--list", help="Show the known composers, styles or instruments."),
    ] = None,
) -> None:
    """Continue a MIDI file with music from a model, or make a new piece."""
    from musenet.sampling import logits, request
    from musenet.sampling.grammar import Limits
    from musenet.sampling.options import DEFAULT_BARS, NATURAL, Options
    from musenet.sampling.outputs import Outputs

    if list_ is not None:
        print("\n".join(request.names(list_, weights)))
        return
    if out is None:
        raise InputError("say where the music goes: --out OUT.mid")
    if prompt is None and (from_ or to):
        raise InputError("--from and --to choose a part of a prompt; give one, or leave them out")
    kept = request.best_of(candidates, keep, variations, variation)
    if kept is not None and stream:
        raise InputError("--stream writes every bar as it comes, before candidates can be compared")
    seconds = request.length(length)
    options = Options(
        bars=bars if bars is not None or seconds is not None else DEFAULT_BARS,
        seconds=seconds,
        ending=end,
        composer=request.composer(composer),
        styles=request.styles(style or ()),
        instruments=request.programs(instrument or ()),
        only_instruments=request.programs(only_instruments or ()) or None,
        new_instruments=new_instruments,
        tempo=tempo,
        meter=request.meter(meter),
        key=request.key(key),
        sampling=logits.per_field(
            NATURAL, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p
        ),
        limits=Limits(
            polyphony=polyphony,
            density=density,
            unisons=unisons,
            pitch_classes=request.scale(scale),
        ),
        balance=Options.balance if balance is None else balance,
        repetition=Options.repetition if repetition is None else repetition,
        seed=request.seed(seed),
        variations=request.numbers(candidates or variations, variation),
    )
    outputs = Outputs(
        midi=out,
        picture=picture,
        stems=stems,
        alone=only_continuation,
        stream=stream,
        render=render,
        soundfont=soundfont,
        keep=kept,
    )
    request.run(weights, prompt, options, outputs, request.part(from_, to))
