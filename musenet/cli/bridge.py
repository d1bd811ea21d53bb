"""`musenet watch` and `bridge`: music from audio workstations, and back into them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError

from .generate import best_of
from .options import Candidates, Keep, Weights, takes

_LOOK_SECONDS = 1.0
_Options = GenerateOptions | FillOptions | AccompanyOptions


class _ContinueFirst(TyperGroup):
    """Commands of which the first is meant where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the command that is meant."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["continue", *args]
        return super().parse_args(ctx, args)


watch = typer.Typer(
    cls=_ContinueFirst,
    no_args_is_help=True,
    help="Continue, fill or accompany each file that is dropped into a folder.",
)

Inbox = Annotated[
    Path, typer.Argument(metavar="IN", help="Folder to watch for MIDI and MusicXML files.")
]
Outbox = Annotated[
    Path, typer.Option("--out", "-o", help="Folder for the results; nothing in it is overwritten.")
]
Existing = Annotated[
    bool, typer.Option("--existing", help="Begin with the files that are there already.")
]


@watch.command("continue")
@takes(GenerateOptions)
def watch_continue(
    options: GenerateOptions,
    folder: Inbox,
    out: Outbox,
    weights: Weights = "mini",
    candidates: Candidates = None,
    keep: Keep = None,
    existing: Existing = False,
) -> None:
    """Continue each file that is dropped into a folder."""
    kept = best_of(candidates, keep, options.variations)
    _watch(folder, out, options, weights, candidates, kept, existing=existing)


@watch.command("fill")
@takes(FillOptions)
def watch_fill(
    options: FillOptions,
    folder: Inbox,
    out: Outbox,
    weights: Weights = "mini",
    candidates: Candidates = None,
    keep: Keep = None,
    existing: Existing = False,
) -> None:
    """Write some bars of each file anew that is dropped into a folder."""
    kept = best_of(candidates, keep, options.variations)
    _watch(folder, out, options, weights, candidates, kept, existing=existing)


@watch.command("accompany")
@takes(AccompanyOptions)
def watch_accompany(
    options: AccompanyOptions,
    folder: Inbox,
    out: Outbox,
    weights: Weights = "mini",
    candidates: Candidates = None,
    keep: Keep = None,
    existing: Existing = False,
) -> None:
    """Write parts under each file that is dropped into a folder."""
    kept = best_of(candidates, keep, options.variations)
    _watch(folder, out, options, weights, candidates, kept, existing=existing)


def _watch(
    folder: Path,
    out: Path,
    options: _Options,
    weights: str,
    candidates: int | None,
    keep: int | None,
    *,
    existing: bool,
) -> None:
    """Make takes of each file as it comes, until Ctrl-C; a file that is bad is said and left.

    Raises:
        InputError: if a folder or the weights are not there.
    """
    from dataclasses import replace

    from musenet.bridges.watched_folder import WatchedFolder, check_folders
    from musenet.generation.outputs import check_folder

    if candidates is not None:
        options = replace(options, variations=tuple(range(1, candidates + 1)))
    check_folders(folder, out)
    check_folder(out)
    watched_folder = WatchedFolder(folder, existing=existing)
    from musenet.model.checkpoint import load_checkpoint

    model = weights, load_checkpoint(weights)
    left = watched_folder.passed_over
    there = f" (left: {left:,} that are there already; --existing takes them)" if left else ""
    print(f"Watching {folder}{there}; results go to {out}. Ctrl-C stops.", flush=True)
    from .start import raised

    raised()
    try:
        while True:
            for path in watched_folder.ready():
                try:
                    said = _made(path, out, options, model, keep)
                except InputError as error:
                    said = f"{path.name} is left: {error}"
                except OSError as error:  # it has gone again, or the writer does not share it
                    said = f"{path.name} is left: {error.strerror or error}"
                print(said, flush=True)
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        print("Stopped.")


def _made(
    path: Path, out: Path, options: _Options, model: tuple[str, Any], keep: int | None
) -> str:
    """Write the takes of a file; returns the sentence that says so.

    Raises:
        InputError: if there are none.
    """
    from musenet.generation.outputs import Outputs, numbered
    from musenet.generation.prompt import read_file
    from musenet.tree.grow import grow_any
    from musenet.tree.tree import Node
    from tokenizer.files import write_bytes

    from .progress import watched
    from .start import deferred

    began = time.perf_counter()
    data, _ = read_file(path)
    grown = grow_any(Node(0, None, path.stem, data), model, options, watched, keep)
    outputs = Outputs(out / f"{path.stem}.mid", keep=keep).unused(options.variations)
    growths = [node.growth for node in grown if node.growth is not None]
    paths = []
    with deferred() as stopped:  # all takes are written, or none
        for node, growth in zip(grown, growths, strict=True):
            number = growth.options.variations[0]
            paths.append(numbered(outputs.midi, number, many=len(grown) > 1))
            write_bytes(paths[-1], node.data)
    if stopped():
        raise KeyboardInterrupt
    first, last = growths[0].bars
    notes = ", ".join(f"{growth.notes:,}" for growth in growths)
    return (
        f"{path.name}: {notes} new notes in bars {first}–{last}, in {_several(paths)} "
        f"(seed {growths[0].options.seed}; {time.perf_counter() - began:.1f} s)"
    )


bridge = typer.Typer(
    no_args_is_help=True, help="Continue, fill and accompany inside of REAPER and Ableton Live."
)
ableton = typer.Typer(
    no_args_is_help=True,
    help="Continue, fill or accompany the selected clip of Ableton Live, into slots that are free.",
)
bridge.add_typer(ableton, name="ableton")

Scene = Annotated[bool, typer.Option("--scene", help="Hear the other MIDI clips of the scene too.")]
Port = Annotated[int, typer.Option(help="Port that AbletonOSC listens on.", min=1, max=65535)]
ReplyPort = Annotated[int, typer.Option(help="Port that it answers on.", min=1, max=65535)]


@ableton.command("continue")
@takes(GenerateOptions)
def ableton_continue(
    options: GenerateOptions,
    weights: Weights = "mini",
    scene: Scene = False,
    port: Port = 11000,
    reply_port: ReplyPort = 11001,
) -> None:
    """Continue the selected clip: each take becomes a clip in a free slot of its track."""
    _into_live(options, weights, port, reply_port, scene=scene)


@ableton.command("fill")
@takes(FillOptions)
def ableton_fill(
    options: FillOptions,
    weights: Weights = "mini",
    scene: Scene = False,
    port: Port = 11000,
    reply_port: ReplyPort = 11001,
) -> None:
    """Write some bars of the selected clip anew, in copies of it."""
    _into_live(options, weights, port, reply_port, scene=scene)


@ableton.command("accompany")
@takes(AccompanyOptions)
def ableton_accompany(
    options: AccompanyOptions,
    weights: Weights = "mini",
    scene: Scene = False,
    port: Port = 11000,
    reply_port: ReplyPort = 11001,
) -> None:
    """Write parts under the selected clip, on new tracks."""
    _into_live(options, weights, port, reply_port, scene=scene)


def _into_live(options: _Options, weights: str, port: int, reply_port: int, *, scene: bool) -> None:
    """Make takes of the selected clip and say where they are.

    Raises:
        InputError: if Live does not answer, or the request cannot be met.
    """
    from musenet.bridges.ableton.live_set import LiveSet
    from musenet.bridges.ableton.osc import connected
    from musenet.bridges.ableton.takes import read_clips, write_takes

    from .progress import watched

    with connected(port, reply_port) as osc:
        live = LiveSet(osc)
        asked = read_clips(live, options, scene=scene)
        from musenet.model.checkpoint import load_checkpoint

        for made in write_takes(live, asked, (weights, load_checkpoint(weights)), watched):
            print(f"{made.name}: {made.notes:,} notes on {made.track}, scene {made.scene}")
    print(f"(seed {options.seed})")


@bridge.command()
def reaper(
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write the script into.", show_default="Scripts in REAPER's own folder"
        ),
    ] = None,
    weights: Weights = "mini",
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a script that was changed.")
    ] = False,
) -> None:
    """Install the script for REAPER."""
    from musenet.bridges.reaper.install import install
    from musenet.model.config import checkpoint_folder

    checkpoint_folder(weights)  # raises for what is not there
    path = install(to, force=force, weights=weights)
    print(
        f"{path}\nIn REAPER: Actions, Show action list, New action, Load ReaScript, and this file."
    )


@bridge.command("run", hidden=True)
def run_request(
    request: Annotated[Path, typer.Argument(help="NAME.request.txt, as the script writes it.")],
    weights: Weights = "mini",
) -> None:
    """Answer a request of REAPER's script; the answer lies beside it."""
    from musenet.bridges.reaper.worker import Worker

    Worker(request).run(weights)


def _several(paths: list[Path]) -> str:
    """The first and the last of several files."""
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"
