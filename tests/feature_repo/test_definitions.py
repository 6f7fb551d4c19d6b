"""What Feast itself makes of the definitions (``parsed`` in conftest.py)."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any


def test_feast_imports_the_definitions_and_none_of_the_other_code(parsed: Any) -> None:
    assert parsed["files"] == [
        "liver_entities.py",
        "liver_scores.py",
        "liver_services.py",
        "liver_sources.py",
        "liver_views.py",
    ]


def test_every_definition_has_a_residency_an_owner_and_a_purpose(parsed: Any) -> None:
    ours = parsed["objects"]
    assert sorted(ours) == [
        "Entity:patient",
        "FeatureService:liver_risk",
        "FeatureView:demographics",
        "FeatureView:laboratory",
        "FileSource:laboratory_results",
        "FileSource:patient_register",
        "OnDemandFeatureView:liver_scores",
    ]
    for name, given in ours.items():
        assert given["owner"], name
        assert {"residency", "pii", "purpose"} <= set(given["tags"]), name


def test_every_view_has_a_bounded_time_to_live_and_is_online(parsed: Any) -> None:
    views = {name: given for name, given in parsed["objects"].items() if name.startswith("FeatureView:")}
    assert {name: given["ttl_seconds"] / 86_400 for name, given in views.items()} == {
        "FeatureView:laboratory": 400,
        "FeatureView:demographics": 7300,
    }
    assert all(given["online"] for given in views.values())


def test_the_service_gives_what_the_model_reads(parsed: Any, liver_risk: Any) -> None:
    service = parsed["objects"]["FeatureService:liver_risk"]["made_from"]
    given = {name for names in service.values() for name in names}
    assert set(liver_risk.FEATURES) <= given
    assert "site" not in given


def test_albi_is_the_published_formula_in_its_units(parsed: Any) -> None:
    """1 mg/dL and 4 g/dL: 0.66 x log10(17.104) - 0.085 x 40 = 0.66 x 1.2330977 - 3.4 = -2.5861555."""
    first, second, *undefined = parsed["albi"]["albi"]
    assert first == -2.586156
    assert second == round(0.66 * math.log10(248.008) - 0.085 * 26, 6)
    assert undefined == [None, None, None]


def test_no_definition_module_is_shadowed_by_an_importable_one(parsed: Any) -> None:
    assert [name for name in parsed["files"] if importlib.util.find_spec(name.removesuffix(".py"))] == []


def test_the_refused_variant_lacks_a_residency_and_an_owner_and_is_well_formed_otherwise(refused: Any) -> None:
    assert "residency" not in refused["objects"]["FileSource:outcomes_export"]["tags"]
    assert refused["objects"]["FileSource:outcomes_export"]["owner"]
    assert refused["objects"]["FeatureView:outcomes"]["owner"] == ""
    assert refused["objects"]["FeatureView:outcomes"]["tags"]["residency"] == "DE"


def test_the_refused_variant_moves_the_online_store_to_france_and_changes_nothing_else(repository: Path) -> None:
    def settings(path: Path) -> list[str]:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]

    usual = settings(repository / "feature_store.yaml")
    moved = settings(repository / "variants" / "refused" / "feature_store.yaml")
    changed = [pair for pair in zip(usual, moved, strict=True) if pair[0] != pair[1]]
    assert changed == [("  path: data/online.db", "  path: data/mirror-fr/online.db")]
