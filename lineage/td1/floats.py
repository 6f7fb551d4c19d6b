"""Floats on their way into a hash: all NaNs are one NaN, and almost no column has any.

Looking for them first would read the memory twice, which costs a tenth of the hashing. So a piece is hashed, then
searched while the processor still holds it; where it has a NaN, the hash goes back to where it was before the piece.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lineage.td1.slots import Values, room

if TYPE_CHECKING:
    from hashlib import _Hash

_NAN: Final = {"f4": 0x7FC0_0000, "f8": 0x7FF8_0000_0000_0000}
_PIECE: Final = 32_768
"""Values hashed before they are searched: 256 KiB of doubles stay in the processor's own memory."""


@dataclass(frozen=True, slots=True)
class Floats:
    """Values of 32 or 64 bits, among which may be NaNs of any kind."""

    values: Values

    @property
    def canonical(self) -> Values:
        """The values with one NaN for all."""
        return _one_nan(self.values) if _has_nan(self.values) else self.values

    def hashed_into(self, state: _Hash) -> _Hash:
        """The state after the canonical values; ``state`` is not to be used any more."""
        for start in range(0, len(self.values), _PIECE):
            piece: Any = self.values[start : start + _PIECE]
            before = state.copy()
            state.update(piece)
            if _has_nan(piece):
                rest: Any = _one_nan(self.values[start:])
                before.update(rest)
                return before
        return state


def _has_nan(values: Values) -> bool:
    # NumPy's greatest of anything and a NaN is the NaN: one pass, and unlike a comparison it raises no flag.
    return len(values) > 0 and math.isnan(values.item(values.argmax()))


def _one_nan(values: Values) -> Values:
    integer = f"u{values.dtype.itemsize}"
    result = room(len(values), integer)
    np.copyto(result, values.view(integer))
    result[np.isnan(values)] = _NAN[values.dtype.str[1:]]
    return result
