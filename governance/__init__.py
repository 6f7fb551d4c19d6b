"""May this exist, may it flow? Labels and their propagation, places, policies and verdicts.

with governance.acting(purpose="care"):
    store.get_historical_features(...)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from governance.purposes import acting as acting

__all__ = ["acting"]


def __getattr__(name: str) -> Any:
    if name == "acting":
        from governance.purposes import acting as function

        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
