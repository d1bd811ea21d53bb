"""Labels of a piece from its manifest and its path, in one form.

Names differ between sources ("BachJS", "Bach, Johann Sebastian"); they are normalised by
`tokenizer.labels`, so that one composer is one label. Where a manifest and the path disagree, the
manifest wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizer.errors import InputError
from tokenizer.labels import normalise_composer, normalise_styles

from .manifest import SPLITS, ManifestRow, split_name

_COMPOSER_COLUMNS = ("composer", "canonical_composer", "artist", "author")
_TITLE_COLUMNS = ("title", "canonical_title", "name")
_STYLE_COLUMNS = ("style", "genre", "rhythm", "period")
_LICENCE_COLUMNS = ("licence", "license")

PATH_FIELDS = ("composer", "title", "style", "split")


@dataclass(frozen=True)
class Metadata:
    """The metadata of a piece.

    Attributes:
        composer: normalised name, or None.
        title: as written, or "".
        styles: normalised genres and periods, without repeats.
        licence: as written, or "".
        split: "train", "validation" or "test" where the source has one, else None.
    """

    composer: str | None
    title: str
    styles: tuple[str, ...]
    licence: str
    split: str | None


NO_METADATA = Metadata(composer=None, title="", styles=(), licence="", split=None)
"""The metadata of a piece without any."""


def metadata_of(row: ManifestRow, path_labels: ManifestRow) -> Metadata:
    """The labels of one file from its manifest row and from its path, either of them empty.

    Raises:
        InputError: if the manifest names an unknown split.
    """
    if not row and not path_labels:
        return NO_METADATA
    merged = {**path_labels, **{key: value for key, value in row.items() if value}}
    composer = normalise_composer(_first(merged, _COMPOSER_COLUMNS))
    written = "; ".join(str(merged[column]) for column in _STYLE_COLUMNS if merged.get(column))
    return Metadata(
        composer=composer,
        title=_first(merged, _TITLE_COLUMNS),
        styles=normalise_styles(written, composer),
        licence=_first(merged, _LICENCE_COLUMNS),
        split=split_name(_first(merged, ("split",))),
    )


def _first(row: ManifestRow, columns: Iterable[str]) -> str:
    return next((str(row[c]).strip() for c in columns if row.get(c)), "")


class PathPattern:
    """Labels out of a path by a pattern such as `{composer}/{title}.mid`.

    `{composer}`, `{title}`, `{style}` and `{split}` each match one or more characters within a
    folder's or file's name, `*` matches anything within a name, and the pattern must match the end
    of the path.

    Raises:
        InputError: for another word in braces, or one that stands twice.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern, expression = pattern, ""
        for part in re.split(r"(\{[^{}/]*\}|\*)", pattern):
            if part.startswith("{") and part.endswith("}"):
                if part[1:-1] not in PATH_FIELDS:
                    raise InputError(
                        f"'{part}' in --path-labels '{pattern}' is no label; there may stand "
                        f"{', '.join(f'{{{field}}}' for field in PATH_FIELDS)}, and * for any text"
                    )
                expression += f"(?P<{part[1:-1]}>[^/]+?)"
            else:
                expression += "[^/]*" if part == "*" else re.escape(part)
        try:
            self._expression = re.compile(rf"(?:^|.*/){expression}$")
        except re.error as error:
            raise InputError(f"--path-labels '{pattern}' names a label twice") from error

    def labels(self, name: str) -> ManifestRow:
        """The labels in a path, or none where the pattern does not match.

        Raises:
            InputError: if what stands in the place of the split is none.
        """
        match = self._expression.match(name)
        found = {} if match is None else match.groupdict()
        try:
            split_name(found.get("split", ""))
        except InputError as error:
            raise InputError(
                f"{name}: --path-labels '{self._pattern}' takes '{found['split']}' for the "
                f"split, which is {', '.join(SPLITS)}; move the file, or write * for {{split}}"
            ) from error
        return found
