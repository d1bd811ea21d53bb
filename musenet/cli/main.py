"""The command line: `musenet COMMAND`, and the top-level scripts that run one command each.

Each command is a function in the module of its subject, which is imported when it is named; heavy
imports happen only when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from musenet import __version__
from tokenizer.errors import InputError, MidiError
from tokenizer.files import advice

from .usage_errors import UsageError, refuse_empty_paths, sentence

COMMANDS = {
    "generate": ("generate", "Continue a MIDI file, or generate a new piece."),
    "demo": (
        "generate",
        "Continue a hymn tune that comes with the program, and say where MIDI and picture are.",
    ),
    "fill": ("fill", "Write some bars of a song anew; all else of the file stays as it is."),
    "accompany": (
        "fill",
        "Write parts under a tune, add one to a song, or write a track anew.",
    ),
    "replay": (
        "replay",
        "Generate a file again from the recipe inside it; exit with code 1 if the music differs.",
    ),
    "studio": (
        "studio",
        "Open a page on this machine to generate, hear, compare and branch music.",
    ),
    "serve": (
        "studio",
        "Continue, fill and accompany MIDI for other programs on this machine, over HTTP.",
    ),
    "bridge": ("bridge", "Continue, fill and accompany inside of REAPER and Ableton Live."),
    "watch": (
        "bridge",
        "Continue, fill or accompany each file that is dropped into a folder.",
    ),
    "live": ("live", "Play together over MIDI ports, until Ctrl-C."),
    "train": ("train", "Train a model on a dataset; Ctrl-C saves, and --resume continues."),
    "finetune": (
        "train",
        "Fine-tune a model on your own music; Ctrl-C saves, and --resume continues.",
    ),
    "average": (
        "train",
        "Average the parameters of models that were trained from the same weights.",
    ),
    "train-critic": (
        "train",
        "Train a critic to tell generated from real music; Ctrl-C stops generating.",
    ),
    "evaluate": (
        "evaluate",
        "Measure bits per note, in total, by field and by source, with a 95 % interval.",
    ),
    "embeddings": (
        "evaluate",
        "Plot the similarity of composers and styles, or list nearest neighbours.",
    ),
    "prepare": (
        "prepare",
        "Turn folders and archives of MIDI into a dataset; an interrupted run resumes.",
    ),
    "bands": ("bands", "Generate band songs by rule: CC0 training data, reproducible from a seed."),
    "inspect": (
        "inspect",
        "Show tracks, programs, ranges, tempos, length and irregularities of MIDI files.",
    ),
    "tokens": ("tokens", "Show the tokens of a file, and what encoding and decoding changes."),
    "detokenize": ("tokens", "Convert tokens back to a MIDI file."),
    "params": ("train", "Show a model's parameters, memory and operations without building it."),
    "onnx": ("train", "Export a model to ONNX, for other runtimes."),
    "dataset": ("dataset", "Inspect, verify, merge, sample, export and import datasets."),
    "tree": ("tree", "Branch from any point of a piece; mark, prune and export variations."),
}
"""The module of each command and its help in the list: a module is imported when it is used."""


class _Commands(TyperGroup):
    """The commands, each of which is imported when it is named."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments name."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else named(name), rest


def named(name: str) -> Any:
    """A command, with its options.

    Args:
        name: as it is typed.
    """
    module, _ = COMMANDS[name]
    found = getattr(import_module(f".{module}", __package__), name.replace("-", "_"))
    if not isinstance(found, typer.Typer):
        found, function = typer.Typer(), found
        found.command(name)(function)
    command = typer.main.get_command(found)
    refuse_empty_paths(command)
    return command


app = typer.Typer(
    name="musenet",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"musenet {__version__}")
        raise typer.Exit


@app.callback()
def _musenet(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Continue, compose and prepare MIDI with a MuseNet-style Transformer."""


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(lambda: None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit; a user error is one sentence and exit code 2.

    So is what the system refuses: a full disk, a quota, a folder that has gone.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(app(words, prog_name="musenet", standalone_mode=False))
    except InputError as error:
        _refuse(f"{error}{_mended(error)}")
    except UsageError as error:
        _refuse(str(sentence(error) or ""))
    except BrokenPipeError:  # the reader of the output has gone, as in `musenet … | head`
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        _refuse(f"{what}{error.strerror or error}; {advice(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def _mended(error: InputError) -> str:
    """How to save what can be read of a damaged file, if anything can."""
    if not isinstance(error, MidiError) or error.file is None or not Path(error.file).is_file():
        return ""
    from tokenizer.midi.read import read

    try:
        read(error.file, repair=True)
    except InputError:
        return ""
    return "; what can be read of it is saved by `musenet inspect FILE --repair REPAIRED.mid`"


def _refuse(why: str) -> NoReturn:
    """Exit with code 2 after a sentence; with none where the help was printed."""
    if why:
        print(f"musenet: {why}", file=sys.stderr)
    sys.exit(2)


def run(command: str) -> None:
    """Run one command with the arguments that the script was called with."""
    main([command, *sys.argv[1:]])
