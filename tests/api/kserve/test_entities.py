"""Entity keys are taken from a request exactly as they were sent, or the request is refused."""

from __future__ import annotations

from typing import Any

import pytest
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from api.feast.online_reads import JoinKey
from api.kserve.entities import MAX_ENTITIES, datatype, entities, refuse_unknown
from governance.errors import ConfigurationError

PATIENT, WARD = JoinKey("patient_id", "INT64"), JoinKey("ward", "STRING")


def sent(name: str = "patient_id", data: Any = (1, 2), kind: str = "INT64", shape: Any = None) -> InferInput:
    values = list(data)
    return InferInput(name, shape or [len(values)], kind, values)


def request(*inputs: InferInput) -> InferRequest:
    return InferRequest("liver-risk", list(inputs))


def test_each_entity_gets_all_its_keys() -> None:
    asked = request(sent("ward", ["a", "b"], "BYTES"), sent())
    assert entities(asked, [PATIENT, WARD]) == [{"patient_id": 1, "ward": "a"}, {"patient_id": 2, "ward": "b"}]


def test_a_column_of_one_value_a_row_is_the_same_as_a_list() -> None:
    assert entities(request(sent(data=[[1], [2]], shape=[2, 1])), [PATIENT]) == [{"patient_id": 1}, {"patient_id": 2}]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([], "The inputs are: none"),
        ([sent("patient")], "Expected the entity keys, each once: patient_id (INT64)"),
        ([sent(), sent()], "each once"),
        ([sent(kind="FP32")], "Expected INT64"),
        ([sent(data=[1.5])], "holds 1.5"),
        ([sent(data=[True])], "holds True"),
        ([sent(data=["1"])], "holds '1'"),
        ([sent(data=[1 << 63])], "Expected values of INT64"),
        ([sent(shape=[3])], "has shape [3] and 2 values"),
        ([sent(data=[])], "between 1 and"),
        ([sent(data=range(MAX_ENTITIES + 1))], "between 1 and"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(inputs: list[InferInput], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        entities(request(*inputs), [PATIENT])
    assert says in str(refused.value)


def test_binary_tensors_are_refused() -> None:
    binary = sent()
    binary.data = None
    with pytest.raises(InvalidInput, match="binary"):
        entities(request(binary), [PATIENT])


def test_a_key_that_requests_cannot_carry_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError, match="DOUBLE"):
        datatype(JoinKey("weight", "DOUBLE"))


def test_an_entity_without_features_is_named_with_the_views_that_lack_it() -> None:
    rows = [{"patient_id": 1}, {"patient_id": 9}, {"patient_id": 8}]
    with pytest.raises(InvalidInput) as refused:
        refuse_unknown(rows, [(1, "demographics"), (1, "laboratory"), (2, "laboratory")])
    assert "no features of patient_id 9 in demographics, laboratory" in str(refused.value)
    assert "1 more" in str(refused.value)
    refuse_unknown(rows, [])
