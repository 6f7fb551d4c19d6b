"""What the model is given."""

from feast import FeatureService
from liver_scores import liver_scores
from liver_views import demographics, laboratory

liver_risk = FeatureService(
    name="liver_risk",
    features=[laboratory, demographics[["age_at_enrolment_years", "sex"]], liver_scores],
    description="Features of the risk of death or transplant within 365 days of a visit.",
    owner="hepatology@hospital.example",
    # From laboratory (EU) and demographics (DE): only Germany is left, whatever stands here.
    tags={"residency": "DE", "pii": "true", "purpose": "care,research"},
)
