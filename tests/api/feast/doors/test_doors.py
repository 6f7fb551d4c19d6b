"""Every door, and every way around it that we know: nothing gets in, nothing stays, and it is on record."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click.testing
import grpc
import httpx
import pytest
from pyarrow import flight

from governance.errors import ProvenderError
from tests.api.feast.doors.conftest import OWNER, Doors
from tests.api.feast.doors.ways import WAYS, Way

VIEWS = {"laboratory", "demographics", "arrivals", "liver_scores"}


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_no_way_leads_around_the_gate(doors: Doors, acting_for: Callable[[str | None], None], way: Way) -> None:
    acting_for(way.purpose)
    assert doors.remote.list_feature_views()
    assert doors.remote_of_governed_store.list_feature_views()
    files, records = doors.files(but=way.leaves), doors.records()
    said = refusal(way, doors)
    assert re.search(way.says, said), said
    assert doors.files(but=way.leaves) == files
    assert tuple(doors.records()[len(records) :]) == way.recorded
    assert "Traceback" not in said
    assert doors.shown() == VIEWS


def refusal(way: Way, doors: Doors) -> str:
    """What the one who tried was told. Fails where nobody said no."""
    try:
        answer = way.take(doors)
    except (ProvenderError, IsADirectoryError) as error:
        return str(error)
    except grpc.RpcError as error:
        return str(error.details())
    except flight.FlightError as error:
        return str(error).split(". Detail:")[0]
    match answer:
        case click.testing.Result():
            assert answer.exit_code in (1, 2), answer.output
            return str(answer.output) + str(answer.exception)
        case httpx.Response():
            assert answer.status_code >= 400, answer.text
            return answer.text.replace("\\n", "\n")
    raise AssertionError(f"{way.name} got through: {answer!r}")


def test_after_all_that_the_next_innocent_commit_succeeds(doors: Doors) -> None:
    """In the process that lived through it, and in the registry server."""
    innocent: Any = doors.careless("innocent", owner=OWNER)
    doors.store.apply(innocent)
    source, view = doors.careless("also_innocent", owner=OWNER)
    doors.remote.registry.apply_data_source(source, "liver_care")
    doors.remote.registry.apply_feature_view(view, "liver_care")
    names = {one.name for one in doors.repository.store().list_all_feature_views()}
    assert names == {*VIEWS, "innocent", "also_innocent"}
