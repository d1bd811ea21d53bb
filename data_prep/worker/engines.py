"""Engines: who runs `make_chunk` on batch after batch, and what happens to one that hangs.

    processes   workers of this machine, each file with a limit of time and memory (default)
    threads     threads of this process: nothing to start, but a file that hangs cannot be stopped
    ray         tasks on a Ray cluster (the optional extra `ray`)

The chunks are the same with any engine and any number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from tokenizer.errors import unknown

from .chunks import make_chunk
from .limits import Limits
from .processes import on_processes
from .ray import on_ray
from .worker import Batch, Recipe

Engine = Callable[[Iterator[Batch], Recipe, Limits], Iterator[Batch]]
"""Takes batches and gives each back when its chunk is written, in any order."""


def engine(name: str) -> Engine:
    """The engine of a name.

    Raises:
        InputError: if there is none.
    """
    if name not in _ENGINES:
        raise unknown("engine", name, _ENGINES)
    return _ENGINES[name]


def on_threads(batches: Iterator[Batch], recipe: Recipe, limits: Limits) -> Iterator[Batch]:
    """Run batches on threads of this process, as many ahead as there are threads."""
    if limits.workers == 1:  # two threads would only wait for each other
        for batch in batches:
            make_chunk(batch, recipe)
            yield batch
        return
    with ThreadPoolExecutor(limits.workers) as pool:
        waiting: dict[Future[Any], Batch] = {}
        for batch in batches:
            waiting[pool.submit(make_chunk, batch, recipe)] = batch
            if len(waiting) >= 2 * limits.workers:
                yield from _finished(waiting)
        while waiting:
            yield from _finished(waiting)


def _finished(waiting: dict[Future[Any], Batch]) -> Iterator[Batch]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        yield waiting.pop(future)


_ENGINES: dict[str, Engine] = {
    "processes": on_processes,
    "threads": on_threads,
    "ray": on_ray,
}
