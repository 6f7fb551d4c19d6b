"""The picture of a registry, drawn once for the same bytes and anew when what they mean has moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.feast.picture import draw


def test_a_link_that_leads_elsewhere_is_seen_though_the_registry_is_the_same(tmp_path: Path) -> None:
    from feast import FileSource
    from feast.protos.feast.core.Registry_pb2 import Registry

    for place in ("germany", "elsewhere"):
        (tmp_path / place).mkdir()
    link = tmp_path / "source.parquet"
    link.symlink_to(tmp_path / "germany" / "source.parquet")
    registry = Registry()
    registry.data_sources.append(FileSource(name="labs", path="source.parquet", timestamp_field="t").to_proto())

    def places() -> Any:
        return draw(registry, project="", repo=tmp_path)["data_source:labs"].places

    before = places()
    assert before == places()
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere" / "source.parquet")
    assert before == (f"file://{tmp_path}/germany/source.parquet",)
    assert places() == (f"file://{tmp_path}/elsewhere/source.parquet",)
