"""The common expectations as aggregates, all read in one scan by DuckDB, with Great Expectations' own semantics.

What cannot be translated exactly is not translated: :func:`translated` gives None and Great Expectations decides.
"""

from __future__ import annotations

from governance.validation.one_pass.catalogue import SUPPORTED, translated
from governance.validation.one_pass.columns import Rows, columns_of
from governance.validation.one_pass.measure import Check, Found
from governance.validation.one_pass.scan import Engine, measured

__all__ = ["SUPPORTED", "Check", "Engine", "Found", "Rows", "columns_of", "measured", "translated"]
