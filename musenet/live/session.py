"""One performance from its ports to its files: nothing sounds on, and nothing played is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.live_options import BAND, LiveOptions
from musenet.tree.file import read_tree, write_tree
from musenet.tree.tree import Tree
from tokenizer.files import write_bytes

from .answer import Answer
from .band import Band
from .loop import Loop
from .ports import open_input, open_output
from .stage import Stage
from .tree_record import TreeRecord
from .writer import Writer


@contextmanager
def performance(
    options: LiveOptions, into: str | None, out: str | None, file: Path
) -> Iterator[Stage]:
    """A stage on MIDI ports; at the end all notes are ended and the recording is written.

    Ctrl-C, SIGTERM and a closed terminal end the block with KeyboardInterrupt.

    Args:
        options: of the performance.
        into: the name of the input port; None for a virtual one.
        out: the name of the output port; None for a virtual one.
        file: the MIDI file of the recording; none is written if nothing was played.

    Raises:
        InputError: if a port cannot be opened, or fails, or the file cannot be written.
    """
    with ExitStack() as open_, _interrupted():
        port = open_output(out)
        open_.callback(port.close)
        stage = Stage(options, port)
        open_.callback(_keep, stage, file)
        open_.callback(stage.performer.close)
        open_.callback(stage.end)
        source = open_input(into, stage.receive)
        open_.callback(source.close)
        yield stage


def _keep(stage: Stage, file: Path) -> None:
    if stage.recorder.has_notes:
        write_bytes(file, stage.recorder.data())


@contextmanager
def _interrupted() -> Iterator[None]:
    """Let Ctrl-C and its like raise KeyboardInterrupt once; what follows is not disturbed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):  # the terminal was closed
        kinds.append(signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for kind in kinds:
            signal.signal(kind, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {kind: signal.signal(kind, interrupt) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def answers(stage: Stage, model: tuple[str, Checkpoint], tree: Path) -> Iterator[str]:
    """Answer phrases; each phrase and each answer is a node of a tree. Yields sentences.

    Args:
        stage: with its options.
        model: the name of the weights, and the checkpoint.
        tree: the file of the tree.
    """
    options, recorder = stage.options, stage.recorder
    players = options.instruments or (options.hear_as,)
    mode = Answer(stage, Writer(model[1], options, players))
    stage.performer.start(players)
    record = TreeRecord(model, tree)
    task = GenerateOptions(instruments=options.instruments, **options.shared())
    yield f"channels: {stage.performer.channels}"
    yield "play; the answer comes when you stop"
    for answered in mode.run():
        begin = recorder.beat(answered.begin)
        record.played(recorder.data(until=answered.begin))
        record.made(recorder.data(), task, begin, answered.notes)
        stopped = ", until you played again" if answered.interrupted else ""
        yield f"answered after {answered.waited:.2f} s: {answered.notes} notes{stopped}"


def plays_along(stage: Stage, model: tuple[str, Checkpoint], tree: Path) -> Iterator[str]:
    """Play along; the player's part and the whole are two nodes of a tree. See `answers`."""
    options, recorder = stage.options, stage.recorder
    players = options.instruments or BAND
    mode = Band(stage, Writer(model[1], options, players))
    stage.performer.start(players)
    yield f"channels: {stage.performer.channels}"
    if options.clock:
        yield "waiting for MIDI clock"
    elif options.tempo is None:
        yield "tap four beats on any key"
    else:
        yield "play; your first note is the first beat"
    begun = False
    try:
        for written in mode.run():
            if not begun:
                yield f"the band plays at {stage.transport.tempo:.0f} BPM"
                begun = True
            if written.gap > 0:
                yield f"beat {written.begin:g} was {written.gap:.2f} beats late"
    finally:
        stage.performer.silence()
        played = stage.performer.count
        if played and stage.listener.keys():
            record = TreeRecord(model, tree)
            asked = AccompanyOptions(instruments=players, **options.shared())
            record.played(recorder.data(heard_alone=True))
            record.made(recorder.data(), asked.as_fill(), 0.0, played)


def loops(
    stage: Stage, model: tuple[str, Checkpoint], file: Path, called: str | None
) -> Iterator[str]:
    """Play a take of a tree in a loop, and grow the next. See `answers`.

    Args:
        stage: with its options.
        model: the name of the weights, and the checkpoint.
        file: the tree, which new takes join.
        called: number or name of the node that plays first; None for the only prompt.
    """
    tree = read_tree(file)
    node = tree.only_prompt() if called is None else tree.find(called)

    def save(tree: Tree) -> None:
        write_tree(tree, file)

    mode = Loop(stage, model, tree, node, save)
    stage.performer.start()
    yield from mode.run()
