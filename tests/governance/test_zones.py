from __future__ import annotations

import pytest

from governance.errors import ConfigurationError, PolicyError
from governance.zones import Zones


def test_a_zone_expands_to_all_jurisdictions_of_the_zones_in_it() -> None:
    assert Zones({"EU": ["DE", "FR"], "EEA": ["EU", "NO"]}).expand(["EEA"]) == {"DE", "FR", "NO"}


def test_a_jurisdiction_expands_to_itself() -> None:
    assert Zones({"EU": ["DE", "FR"]}).expand(["DE"]) == {"DE"}


def test_a_name_that_nobody_declared_is_no_zone() -> None:
    zones = Zones({"EU": ["DE"]})
    assert "XX" not in zones
    with pytest.raises(KeyError):
        zones.expand(["XX"])


def test_zones_that_hold_each_other_are_an_error_that_prints_the_circle() -> None:
    with pytest.raises(ConfigurationError, match="zones hold each other in a circle: A <- B <- A; break it"):
        Zones({"A": ["B"], "B": ["A"]})


def test_an_empty_zone_is_an_error_since_every_set_contains_it() -> None:
    with pytest.raises(PolicyError, match="zone EU is empty"):
        Zones({"EU": []})
