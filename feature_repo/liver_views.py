"""Feature views: what is known of a patient at a moment."""

from datetime import timedelta

from feast import FeatureView, Field
from feast.types import Float64, Int64, String
from liver_entities import patient
from liver_sources import laboratory_results, patient_register

laboratory = FeatureView(
    name="laboratory",
    description="The latest blood results. Units are in the names; albumin is g/dL.",
    entities=[patient],
    # The protocol asks for a visit a year; a month of grace, then the values are history.
    ttl=timedelta(days=400),
    schema=[
        Field(name="patient_id", dtype=Int64),
        Field(name="bilirubin_mg_dl", dtype=Float64, description="serum bilirubin"),
        Field(name="albumin_g_dl", dtype=Float64, description="serum albumin"),
        Field(name="cholesterol_mg_dl", dtype=Float64, description="serum cholesterol; often not measured"),
        Field(name="alkaline_phosphatase_u_l", dtype=Float64, description="alkaline phosphatase"),
        Field(name="ast_u_ml", dtype=Float64, description="aspartate aminotransferase"),
        Field(name="platelets_per_nl", dtype=Float64, description="platelet count, thousands per microlitre"),
        Field(name="prothrombin_time_s", dtype=Float64, description="standardised clotting time"),
        Field(name="histologic_stage", dtype=Int64, description="1 to 4, by biopsy"),
    ],
    online=True,
    source=laboratory_results,
    owner="hepatology@hospital.example",
    tags={"residency": "EU", "pii": "true", "purpose": "care,research"},
)

demographics = FeatureView(
    name="demographics",
    description="Age, sex and site at enrolment; they do not change during the trial.",
    entities=[patient],
    # Longer than the trial's fourteen years, yet bounded: a register entry is reviewed at last after twenty.
    ttl=timedelta(days=20 * 365),
    schema=[
        Field(name="patient_id", dtype=Int64),
        Field(name="age_at_enrolment_years", dtype=Float64),
        Field(name="sex", dtype=String, description="f or m"),
        Field(name="site", dtype=String, description="DE or FR; made up, see DATA_CARD.md"),
    ],
    online=True,
    source=patient_register,
    owner="data-office@hospital.example",
    tags={"residency": "DE", "pii": "true", "purpose": "care,research"},
)
