"""Array types, once for the whole house: what a column holds, and in which unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Notes = npt.NDArray[np.void]
"""Structured rows such as `tokenizer.score.columns.NOTES`."""
Tokens = npt.NDArray[np.int16]
"""Rows of fields `(T, F)`."""
Structure = npt.NDArray[np.int32]
"""Structural features of rows, `(T, S)`."""
Ticks = npt.NDArray[np.int64]
"""Times in the ticks of a file."""
Steps = npt.NDArray[np.int64]
"""Times in the steps of a grid."""
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]
"""Whole numbers of any width."""
Logits = npt.NDArray[np.floating]
"""Unnormalised log-probabilities `(B, V)`, in any width."""
