"""Whom the features are about."""

from feast import Entity, ValueType

patient = Entity(
    name="patient",
    join_keys=["patient_id"],
    value_type=ValueType.INT64,
    description="A trial participant, by case number.",
    owner="data-office@hospital.example",
    tags={"residency": "EU", "pii": "true", "purpose": "care,research"},
)
