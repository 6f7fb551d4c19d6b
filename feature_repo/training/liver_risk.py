"""The risk model of the example: logistic regression on the feature service ``liver_risk``.

Predicts death or liver transplant within 365 days of a visit. :func:`train` is a function of its
arguments alone (plus torch's determinism switches, which the caller sets); :func:`predict` is what a
server calls, with the same tensors and no other knowledge. All tensors are float32.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    import torch

    Columns: TypeAlias = Mapping[str, Sequence[float | int | str | None]]
    Weights: TypeAlias = dict[str, torch.Tensor]

LABEL = "event_within_365_days"
FEATURES = (
    "bilirubin_mg_dl",
    "albumin_g_dl",
    "alkaline_phosphatase_u_l",
    "ast_u_ml",
    "platelets_per_nl",
    "prothrombin_time_s",
    "histologic_stage",
    "age_at_enrolment_years",
    "sex",
    "albi",
)
"""The columns in the order of the weights. Cholesterol is left out: it is missing in two visits of five."""
LOGARITHMIC = frozenset({"bilirubin_mg_dl", "alkaline_phosphatase_u_l", "ast_u_ml", "platelets_per_nl"})
"""Skewed to the right: the model sees their natural logarithm."""
TEST_SHARE = 0.3
"""The share of patients, not of rows, that is held out."""
SPLIT = f"by patient: SHA-256 of 'liver_care/split/<patient_id>', first 8 bytes below {TEST_SHARE} of 2**64 is test"
"""How the rows are divided, in words for the training record."""


def train(
    features: pa.Table,
    *,
    seed: int,
    epochs: int = 400,
    learning_rate: float = 0.05,
    weight_decay: float = 0.01,
    device: str = "cpu",
) -> tuple[Weights, dict[str, float | int]]:
    """Fit on the training patients of ``features``; the weights and what they do for the others.

    ``features`` needs ``patient_id``, :data:`LABEL` and :data:`FEATURES`. The weights hold the
    standardisation (``mean``, ``scale``) beside ``weight`` and ``bias``, all on the CPU. The metrics
    are measured on the held-out patients: ``auc``, ``brier``, ``prevalence``, and rows and patients
    of each split. Raises ``KeyError`` for a missing column, ``ValueError`` where a split lacks a class.
    """
    import torch

    columns = features.to_pydict()
    held_out = torch.tensor([is_test(patient) for patient in columns["patient_id"]])
    labels = torch.tensor(columns[LABEL], dtype=torch.float32)
    _refuse_one_class(labels[~held_out], labels[held_out])
    matrix = _matrix(columns)
    mean, scale = _standardisation(matrix[~held_out])
    inputs = _standardise(matrix, mean, scale)
    weight, bias = _fit(
        inputs[~held_out].to(device),
        labels[~held_out].to(device),
        seed=seed,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    weights = {"mean": mean, "scale": scale, "weight": weight, "bias": bias}
    return weights, _metrics(weights, columns, labels, held_out)


def predict(weights: Weights, columns: Columns) -> list[float]:
    """The probability of the event for each row of ``columns`` (column name to values; None is missing)."""
    import torch

    inputs = _standardise(_matrix(columns), weights["mean"], weights["scale"])
    probabilities: list[float] = torch.sigmoid(inputs @ weights["weight"] + weights["bias"]).tolist()
    return probabilities


def is_test(patient: int) -> bool:
    """Whether a patient, with all visits, is held out of training; see :data:`SPLIT`."""
    digest = hashlib.sha256(f"liver_care/split/{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64


def auc(labels: Sequence[float], scores: Sequence[float]) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half."""
    ranked = sorted(range(len(scores)), key=lambda row: scores[row])
    rank_sum, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and scores[ranked[end]] == scores[ranked[start]]:
            end += 1
        rank_sum += (start + 1 + end) / 2 * sum(labels[row] == 1 for row in ranked[start:end])
        start = end
    positives = sum(label == 1 for label in labels)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def _matrix(columns: Columns) -> torch.Tensor:
    import torch

    values = [[_number(name, value) for value in columns[name]] for name in FEATURES]
    return torch.tensor(values, dtype=torch.float32).T.contiguous()


def _number(name: str, value: float | str | None) -> float:
    """One input as the model sees it; NaN where it is missing (standardised to the mean, that is 0)."""
    if value is None:
        return math.nan
    if name == "sex":
        return {"f": 1.0, "m": 0.0}.get(str(value), math.nan)
    number = float(value)
    if name in LOGARITHMIC:
        return math.log(number) if number > 0 else math.nan
    return number


def _standardisation(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    mean = torch.nanmean(matrix, dim=0)
    scale = torch.nanmean((matrix - mean) ** 2, dim=0).sqrt()
    # A column without spread (or without any value) says nothing: it becomes 0, not infinity.
    return torch.nan_to_num(mean), torch.where(scale > 0, scale, torch.ones_like(scale))


def _standardise(matrix: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.nan_to_num((matrix - mean) / scale)


def _fit(
    inputs: torch.Tensor,
    labels: torch.Tensor,
    *,
    seed: int,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    # The first weights are drawn on the CPU, so that a seed means the same on every device.
    start = torch.randn(inputs.shape[1], generator=torch.Generator().manual_seed(seed)) * 0.01
    weight = start.to(inputs.device).requires_grad_()
    bias = torch.zeros((), device=inputs.device, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=learning_rate)
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weight + bias, labels)
        (loss + weight_decay * (weight**2).sum()).backward()  # type: ignore[no-untyped-call]  # torch's own gap
        optimizer.step()
    return weight.detach().cpu(), bias.detach().cpu()


def _metrics(
    weights: Weights, columns: Columns, labels: torch.Tensor, held_out: torch.Tensor
) -> dict[str, float | int]:
    import torch

    scores, truth = torch.tensor(predict(weights, columns))[held_out], labels[held_out]
    patients = set(columns["patient_id"])
    test_patients = sum(is_test(patient) for patient in patients)  # type: ignore[arg-type]  # keys are integers
    return {
        "auc": auc(truth.tolist(), scores.tolist()),
        "brier": float(((scores - truth) ** 2).mean()),
        "prevalence": float(truth.mean()),
        "rows_train": int((~held_out).sum()),
        "rows_test": int(held_out.sum()),
        "patients_train": len(patients) - test_patients,
        "patients_test": test_patients,
    }


def _refuse_one_class(*splits: torch.Tensor) -> None:
    for labels in splits:
        if labels.unique().numel() != 2:
            raise ValueError("a split has no event or nothing but events; train on more patients")
