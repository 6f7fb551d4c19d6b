"""What a hurried colleague adds: the outcomes as features, without residency and without an owner."""

from datetime import timedelta

from feast import FeatureView, Field, FileSource
from feast.types import Int64, String
from liver_entities import patient

outcomes_export = FileSource(
    name="outcomes_export",
    path="data/sources/follow_up.parquet",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    owner="data-office@hospital.example",
    tags={"pii": "true", "purpose": "research"},  # no residency
)

outcomes = FeatureView(
    name="outcomes",
    entities=[patient],
    ttl=timedelta(days=400),
    schema=[Field(name="patient_id", dtype=Int64), Field(name="outcome", dtype=String)],
    source=outcomes_export,
    tags={"residency": "DE", "pii": "true", "purpose": "research"},  # no owner
)
