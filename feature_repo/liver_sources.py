"""Where the values come from: Parquet files that prepare/sources.py makes from the published trial data."""

from feast import FileSource

laboratory_results = FileSource(
    name="laboratory_results",
    path="data/sources/laboratory.parquet",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    description="Blood results of 1,945 visits; created when the laboratory reported them.",
    owner="laboratory@hospital.example",
    tags={"residency": "EU", "pii": "true", "purpose": "care,research"},
)

# Who the patients are stays in Germany, where the coordinating hospital keeps the register; whatever
# is made from both sources may therefore be in Germany only.
patient_register = FileSource(
    name="patient_register",
    path="data/sources/demographics.parquet",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    description="Age, sex and site of 312 patients at enrolment.",
    owner="data-office@hospital.example",
    tags={"residency": "DE", "pii": "true", "purpose": "care,research"},
)
