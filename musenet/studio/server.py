"""Running the server: on this machine alone, with a token, until it is stopped."""

from __future__ import annotations

import os
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from musenet.export.music_files import MUSIC_SUFFIXES
from musenet.generation.prompt import prompt_of, read_file
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError

from .app import make_app
from .jobs import Jobs
from .models import Weights
from .workspace import SUFFIX, Workspace, free_name

HOST = "127.0.0.1"
_SECONDS_TO_CLOSE = 3


def open_workspace(file: Path | None, folder: Path) -> Workspace:
    """The tree to work on.

    Args:
        file: a tree, a MIDI or MusicXML file to begin a new one with, or None for an empty one.
        folder: where a new tree is written.

    Raises:
        InputError: if the file cannot be read.
    """
    if file is None:
        return Workspace(free_name(folder, "studio"), Tree())
    if file.suffix.lower() in MUSIC_SUFFIXES:
        data, _ = read_file(file)
        prompt_of(data, file.stem, str(file))  # raises for what cannot be continued
        workspace = Workspace(free_name(folder, file.stem), Tree())
        workspace.change(lambda tree: tree.joined([Node(0, None, file.stem, data)]))
        return workspace
    if not file.name.endswith(".json"):
        raise InputError(f"'{file.name}' is neither a MIDI file (.mid) nor a tree ({SUFFIX})")
    return Workspace(file, None if file.exists() else Tree())


def serve(
    workspace: Workspace | None,
    weights: Weights,
    *,
    port: int,
    token: str,
    page: bool,
    ready: Callable[[str], None],
) -> None:
    """Serve until the program is interrupted.

    Args:
        workspace: the tree and its file, or None.
        weights: what music is made with.
        port: to listen on; 0 takes one that is free.
        token: the secret that every request needs.
        page: whether there is a page, or the interface alone.
        ready: called with the address, `http://127.0.0.1:PORT`, once it can be opened.

    Raises:
        InputError: if the port is taken.
    """
    config = uvicorn.Config(
        "", HOST, port, log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=_SECONDS_TO_CLOSE, server_header=False,
    )  # fmt: skip
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise InputError(
            f"port {port} cannot be opened; give another with --port, or 0 for a free one"
        ) from None
    socket.listen()  # who connects before the server runs waits a moment, and is not refused
    port = socket.getsockname()[1]
    jobs = Jobs(os.cpu_count() or 1)
    config.app = make_app(workspace, weights, jobs, token, port, page=page)
    ready(f"http://{HOST}:{port}")
    threading.Thread(target=weights.warm, daemon=True).start()
    server = _Server(config, jobs)
    server.run(sockets=[socket])
    jobs.close()


class _Server(uvicorn.Server):
    """Stops its jobs first, so that those who listen to them hear the end.

    Args:
        config: of the server.
        jobs: the queue.
    """

    def __init__(self, config: uvicorn.Config, jobs: Jobs) -> None:
        super().__init__(config)
        self._jobs = jobs

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at a signal; the first one waits for what is being saved."""
        # In a thread: the signal may have come while this one held the queue's lock.
        threading.Thread(target=self._jobs.close, daemon=True).start()
        super().handle_exit(sig, frame)


def open_browser(address: str) -> None:
    """Open the page in the user's browser, if there is one."""
    try:
        webbrowser.open(address)
    except webbrowser.Error:
        return
