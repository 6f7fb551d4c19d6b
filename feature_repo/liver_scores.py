"""Clinical scores, computed when they are asked for."""

from feast import Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64
from liver_views import laboratory


@on_demand_feature_view(
    name="liver_scores",
    sources=[laboratory],
    # No description on the field: Feast 0.67 compares it with what it infers and then misses the feature.
    schema=[Field(name="albi", dtype=Float64)],
    mode="python",
    description="ALBI = 0.66 log10(bilirubin in umol/L) - 0.085 (albumin in g/L); lower is healthier.",
    owner="hepatology@hospital.example",
    tags={"residency": "EU", "pii": "true", "purpose": "care,research"},
)
def liver_scores(inputs: dict[str, list]) -> dict[str, list]:
    """The ALBI score of each row (Johnson et al., J Clin Oncol 33:550, 2015); lower is healthier.

    Null where bilirubin or albumin is missing or not positive.

    Feast stores this source text and runs it without the module around it, so that the function
    carries its imports and constants itself.
    """
    import math

    # Bilirubin (C33H36N4O6) has 584.66 g/mol, so that 1 mg/dL is 17.104 umol/L; 1 g/dL is 10 g/L.
    umol_l_per_mg_dl, g_l_per_g_dl = 17.104, 10.0

    def albi(bilirubin: float | None, albumin: float | None) -> float | None:
        if bilirubin is None or albumin is None or not (bilirubin > 0 and albumin > 0):
            return None
        score = 0.66 * math.log10(bilirubin * umol_l_per_mg_dl) - 0.085 * albumin * g_l_per_g_dl
        # Six decimals: C libraries differ in the last bit of a logarithm, and a digest sees that bit.
        return round(score, 6)

    return {"albi": [albi(b, a) for b, a in zip(inputs["bilirubin_mg_dl"], inputs["albumin_g_dl"], strict=True)]}
