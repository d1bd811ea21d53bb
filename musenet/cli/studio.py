"""`musenet studio` and `serve`: a page on this machine, and the same for other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tokenizer.errors import InputError

from .options import Weights

PORT = 8710
"""Of `musenet serve`, so that programs find it."""

TOKEN_VARIABLE = "MUSENET_TOKEN"


def studio(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Tree (.tree.json) to work on, or MIDI or MusicXML file to begin one with.",
            show_default="a new tree",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port to listen on.", min=0, max=65535, show_default="a free one")
    ] = 0,
    weights: Weights = "mini",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open no browser.")
    ] = False,
    no_page: Annotated[
        bool, typer.Option("--no-page", help="Serve the HTTP interface alone.")
    ] = False,
) -> None:
    """Open a page on this machine to generate, hear, compare and branch music."""
    from musenet.studio.about import missing

    if (reason := missing()) is not None:
        raise InputError(reason)
    from musenet.studio import server
    from musenet.studio.guard import new_token
    from musenet.studio.models import Weights

    from .progress import counted

    workspace, token = server.open_workspace(file, Path.cwd()), new_token()

    def ready(address: str) -> None:
        nodes = counted(len(workspace.tree.nodes), "node")
        print(f"{workspace.path.name}: {nodes}, saved after each change")
        print(f"{address}/?token={token}\nCtrl-C stops.", flush=True)
        if not no_browser and not no_page:
            server.open_browser(f"{address}/?token={token}")

    server.serve(workspace, Weights(weights), port=port, token=token, page=not no_page, ready=ready)


def serve(
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = PORT,
    weights: Weights = "mini",
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that requests need, readable by you alone; written with a "
            "new one if it is not there.",
            show_default=f"the variable {TOKEN_VARIABLE}, else a new token each time",
        ),
    ] = None,
) -> None:
    """Continue, fill and accompany MIDI for other programs on this machine, over HTTP."""
    from musenet.studio.about import missing

    if (reason := missing()) is not None:
        raise InputError(reason)
    from musenet.studio import server
    from musenet.studio.guard import checked_token, new_token, token_in
    from musenet.studio.models import Weights

    if token_file is not None:
        token, said = token_in(token_file), f"The token is in {token_file}."
    elif chosen := os.environ.get(TOKEN_VARIABLE):
        token, said = checked_token(chosen, TOKEN_VARIABLE), f"The token is {TOKEN_VARIABLE}'s."
    else:
        token = new_token()
        said = f"Token: {token}"

    def ready(address: str) -> None:
        print(f"{address}/api/v1\n{said}\nCtrl-C stops.", flush=True)

    server.serve(None, Weights(weights), port=port, token=token, page=False, ready=ready)
