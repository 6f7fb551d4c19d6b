"""Where objects are defined, read from the files without importing them."""

from __future__ import annotations

from pathlib import Path

from api.feast.definition_sites import definition_sites

FILE = """\
import feast
from feast import Entity, FeatureService, FeatureView, Field, FileSource
from feast.on_demand_feature_view import on_demand_feature_view

NAME = "computed"
patient = Entity(name="patient")
view = FeatureView(
    name="labs",
    schema=[Field(name="albumin", dtype=None)],
    source=FileSource("visits", path="visits.parquet"),
)
pushed = feast.PushSource(name="pushed", batch_source=view.source)
made = [FeatureView(name=f"v{number}") for number in range(3)] + [FeatureView(name=NAME)]
service = FeatureService("risk", [view])


@on_demand_feature_view(
    sources=[view],
)
def albi(inputs):
    return inputs


@on_demand_feature_view(name="named", sources=[view])
def other(inputs):
    return inputs
"""


def test_calls_and_decorated_functions_are_found_by_kind_and_name(tmp_path: Path) -> None:
    (tmp_path / "views.py").write_text(FILE)
    assert definition_sites([tmp_path / "views.py"], root=tmp_path) == {
        "entity:patient": "views.py:6",
        "feature_view:labs": "views.py:7",
        "data_source:visits": "views.py:10",
        "data_source:pushed": "views.py:12",
        "feature_service:risk": "views.py:14",
        "on_demand_feature_view:albi": "views.py:17",
        "on_demand_feature_view:named": "views.py:24",
    }


def test_a_file_that_is_no_python_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    assert definition_sites([tmp_path / "broken.py", tmp_path / "gone.py"], root=tmp_path) == {}
