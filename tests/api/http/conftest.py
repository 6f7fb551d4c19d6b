from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from api.http.services import ReceivedEvent, Services
from audit.report import endpoint_summaries


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The statements and the report of one small deployment."""
    spec = importlib.util.spec_from_file_location(
        "sample_chain", Path(__file__).parents[2] / "audit/report/sample_chain.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def services(sample: ModuleType, tmp_path: Path) -> Services:
    """Services over the sample's statements, with events kept in a dictionary."""
    acts = sample.statements()
    stored: dict[str, ReceivedEvent] = {}

    def record(event: ReceivedEvent) -> bool:
        new = event.digest not in stored
        stored[event.digest] = event
        return new

    (tmp_path / "ExampleFacet.json").write_text('{"$id": "https://provender.example/facets/ExampleFacet.json"}')
    return Services(
        endpoints=lambda: endpoint_summaries(acts),
        report=lambda name: sample.report(acts, name),
        checkpoint=lambda: b"provender.example/test\n9\nAAAA\n\n\xe2\x80\x94 provender.example/test AAAA\n",
        record_event=record,
        facets=tmp_path,
    )
