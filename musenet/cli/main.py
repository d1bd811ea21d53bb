"""The command line: `musenet COMMAND`, and the top-level scripts that run one command each.

Each command is a function in the module of its subject; heavy imports happen only when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from musenet import __version__
from tokenizer.errors import InputError
from tokenizer.files import advice

from .accompany import accompany
from .bands import bands
from .dataset import dataset
from .evaluate import embeddings, evaluate
from .fill import fill
from .generate import generate
from .inspect import inspect
from .prepare import prepare
from .replay import replay
from .studio import studio
from .tokens import detokenize, tokens
from .train import average, finetune, params, train, train_critic
from .tree import tree

app = typer.Typer(
    name="musenet",
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


_COMMANDS = (
    generate,
    fill,
    accompany,
    replay,
    studio,
    train,
    finetune,
    average,
    train_critic,
    evaluate,
    embeddings,
    prepare,
    bands,
    inspect,
    tokens,
    detokenize,
    params,
)

for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(dataset, name="dataset")
app.add_typer(tree, name="tree")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit; a user error is one sentence and exit code 2.

    So is what the system refuses: a full disk, a quota, a folder that has gone.
    """
    try:
        app(list(sys.argv[1:] if arguments is None else arguments))
    except InputError as error:
        print(f"musenet: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of the output has gone, as in `musenet … | head`
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        print(f"musenet: {what}{error.strerror or error}; {advice(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def run(command: str) -> None:
    """Run one command with the arguments that the script was called with."""
    main([command, *sys.argv[1:]])
