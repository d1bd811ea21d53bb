"""`musenet live`: play together over MIDI ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from musenet.options.live_options import LiveOptions
from tokenizer.errors import InputError, unknown

from .options import Weights, takes

MODES = ("answer", "band", "loop")


@takes(LiveOptions)
def live(
    options: LiveOptions,
    mode: Annotated[
        str | None,
        typer.Argument(
            help="answer: it answers your phrases. band: it plays along. loop: it plays takes of a "
            "tree and grows the next.",
            show_default=False,
        ),
    ] = None,
    tree: Annotated[
        Path | None, typer.Argument(help="loop: the tree file.", show_default=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the MIDI ports.")] = False,
    into: Annotated[
        str | None,
        typer.Option(
            "--in", help="MIDI port that you play on.", show_default="a virtual one, MuseNet"
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", help="MIDI port to play to.", show_default="a virtual one, MuseNet"),
    ] = None,
    record: Annotated[
        Path,
        typer.Option(help="MIDI file of all that is played; the tree is written beside it."),
    ] = Path("live.mid"),
    at: Annotated[
        str | None,
        typer.Option(
            help="loop: number or name of the node to begin with.", show_default="the prompt"
        ),
    ] = None,
    weights: Weights = "mini",
) -> None:
    """Play together over MIDI ports, until Ctrl-C."""
    if list_:
        _list_ports()
        return
    if mode not in MODES:
        raise unknown("mode", str(mode), MODES)
    if (mode == "loop") != (tree is not None):
        raise InputError("`live loop TREE.tree.json` plays takes of a tree; only loop takes one")
    from musenet.generation.outputs import Outputs, check_writable
    from musenet.live.session import answers, loops, performance, plays_along
    from musenet.model.checkpoint import load_checkpoint

    if record.suffix.lower() not in (".mid", ".midi"):
        raise InputError(f"{record} does not end in .mid; the recording is a MIDI file")
    file = Outputs(record).unused((1,)).midi
    check_writable(file)
    model = weights, load_checkpoint(weights)
    grown = Outputs(file.with_name(f"{file.stem}.tree.json")).unused((1,)).midi
    with suppress(KeyboardInterrupt), performance(options, into, out, file) as stage:
        if mode == "loop":
            assert tree is not None
            said = loops(stage, model, tree, at)
        else:
            said = (answers if mode == "answer" else plays_along)(stage, model, grown)
        _told(said)
    for path in (file, grown):
        if path.exists():
            print(f"{path}: written")


def _told(said: Iterator[str]) -> None:
    print("Ctrl-C stops.")
    for sentence in said:
        print(sentence, flush=True)


def _list_ports() -> None:
    from musenet.live.ports import port_names

    for kind, names in zip(("input", "output"), port_names(), strict=True):
        print(f"{kind} ports:")
        for name in names or ["none"]:
            print(f"  {name}")
