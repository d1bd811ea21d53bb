"""The chords of a song with holes: its own, and in the holes those that are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from musenet.generation.chords import TimedChords, chart_chords, check_chords
from musenet.options.fill_options import FillOptions
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.score.chords import file_chords, score_chords

from .piece import Piece


def chords_with_holes(
    options: FillOptions, piece: Piece, holes: Sequence[tuple[int, int]], vocabulary: Vocabulary
) -> TimedChords | None:
    """The chords of a song, in its holes those that are asked for; None if none are.

    In each hole a chart begins with the bar that the hole begins in, and repeats to its end.

    Args:
        options: the request.
        piece: the song.
        holes: the first tick of each and the first after it, in order.
        vocabulary: of the model.

    Raises:
        InputError: if the vocabulary has no chords, or no chord sounds in a song that is to keep
            its own.
    """
    if options.chords is None and not options.keep_chords:
        return None
    check_chords(vocabulary)
    own = chords_of_song(piece)
    if options.chords is None:
        if not own.numbers.any():
            raise InputError(
                f"no chord sounds in {piece.display_name}, so none can be kept; "
                "give a chart with --chords"
            )
        return own
    found, bars = own, piece.bars
    for begin, end in holes:
        line = bars.tick(bars.number(begin))
        asked = chart_chords(options.chords, bars, line, end).since(begin)
        found = found.before(begin).then(asked).then(own.since(end))
    return found


def chords_of_song(piece: Piece) -> TimedChords:
    """The chords of a song: those that its texts name, else those estimated from its notes."""
    return TimedChords(*(file_chords(piece.score) or score_chords(piece.score)))
