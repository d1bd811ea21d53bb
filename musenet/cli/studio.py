"""`musenet studio`: a page on this machine to hear, compare and branch music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tokenizer.errors import InputError

from .options import Weights


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
    from musenet.studio.models import Weights
    from musenet.studio.server import open_browser, open_workspace, serve

    workspace = open_workspace(file, Path.cwd())

    def ready(address: str) -> None:
        print(f"{workspace.path.name}: {len(workspace.tree.nodes)} nodes, saved after each change")
        print(f"{address}\nCtrl-C stops.", flush=True)
        if not no_browser and not no_page:
            open_browser(address)

    serve(workspace, Weights(weights), port=port, page=not no_page, ready=ready)
