from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest


@pytest.fixture(scope="module")
def trained(features: pa.Table, liver_risk: Any) -> tuple[dict[str, Any], dict[str, float]]:
    weights, metrics = liver_risk.train(features, seed=7)
    return weights, metrics


def test_the_same_seed_gives_the_same_bits(features: pa.Table, liver_risk: Any, trained: Any) -> None:
    again, metrics = liver_risk.train(features, seed=7)
    assert metrics == trained[1]
    assert {name: value.numpy().tobytes() for name, value in again.items()} == {
        name: value.numpy().tobytes() for name, value in trained[0].items()
    }


def test_another_seed_gives_other_weights(features: pa.Table, liver_risk: Any) -> None:
    other, _ = liver_risk.train(features, seed=8, epochs=5)
    assert other["weight"].tolist() != liver_risk.train(features, seed=7, epochs=5)[0]["weight"].tolist()


def test_the_model_learns_what_the_literature_says(liver_risk: Any, trained: Any) -> None:
    """Bilirubin and ALBI raise the risk, albumin lowers it, and the ranking is far better than chance."""
    weights, metrics = trained
    weight = dict(zip(liver_risk.FEATURES, weights["weight"].tolist(), strict=True))
    assert weight["bilirubin_mg_dl"] > 0
    assert weight["albi"] > 0
    assert weight["albumin_g_dl"] < 0
    assert metrics["auc"] > 0.9
    assert metrics["brier"] < metrics["prevalence"] * (1 - metrics["prevalence"])


def test_the_split_keeps_every_patient_on_one_side_and_counts_every_row(features: pa.Table, trained: Any) -> None:
    metrics = trained[1]
    assert metrics["rows_train"] + metrics["rows_test"] == features.num_rows
    assert metrics["patients_train"] + metrics["patients_test"] == len(set(features["patient_id"].to_pylist()))
    assert 0.2 < metrics["patients_test"] / (metrics["patients_train"] + metrics["patients_test"]) < 0.4


def test_held_out_patients_leave_no_trace_in_the_weights(features: pa.Table, liver_risk: Any, trained: Any) -> None:
    held_out = [liver_risk.is_test(patient) for patient in features["patient_id"].to_pylist()]
    position = features.column_names.index("bilirubin_mg_dl")
    spoiled = [
        1.0 if out else value for out, value in zip(held_out, features["bilirubin_mg_dl"].to_pylist(), strict=True)
    ]
    weights, metrics = liver_risk.train(features.set_column(position, "bilirubin_mg_dl", pa.array(spoiled)), seed=7)
    assert weights["weight"].tolist() == trained[0]["weight"].tolist()
    assert metrics["auc"] != trained[1]["auc"]


def test_a_missing_value_counts_as_the_mean(features: pa.Table, liver_risk: Any, trained: Any) -> None:
    weights = trained[0]
    row = {name: features[name].to_pylist()[:1] for name in liver_risk.FEATURES}
    means = dict(zip(liver_risk.FEATURES, weights["mean"].tolist(), strict=True))
    without, at_mean = (
        row | {"platelets_per_nl": [None]},
        row | {"platelets_per_nl": [math.exp(means["platelets_per_nl"])]},
    )
    assert liver_risk.predict(weights, without) == pytest.approx(liver_risk.predict(weights, at_mean), abs=1e-6)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order(liver_risk: Any) -> None:
    labels, scores = [0, 1, 1, 0, 1, 0, 0], [0.1, 0.4, 0.4, 0.4, 0.9, 0.2, 0.95]
    pairs = [
        (positive > negative) + 0.5 * (positive == negative)
        for positive in (score for label, score in zip(labels, scores, strict=True) if label)
        for negative in (score for label, score in zip(labels, scores, strict=True) if not label)
    ]
    assert liver_risk.auc(labels, scores) == pytest.approx(sum(pairs) / len(pairs))


def test_a_split_without_events_is_refused(features: pa.Table, liver_risk: Any) -> None:
    position = features.column_names.index(liver_risk.LABEL)
    nobody = features.set_column(position, liver_risk.LABEL, pa.array([0] * features.num_rows))
    with pytest.raises(ValueError, match="no event"):
        liver_risk.train(nobody, seed=7)
