"""What predicts is the source that was hashed, and it must answer with one finite number for each row."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from api.kserve.predictor import load_predictor, read_predictor
from governance.errors import ConfigurationError

SOURCE = "def predict(weights, columns):\n    return [weights['w'] * value for value in columns['x']]\n"


def test_the_predictor_is_named_relative_to_the_repository_and_digested(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "risk.py").write_text(SOURCE)
    source = read_predictor("code/risk.py:predict", repo=tmp_path)
    assert source.as_json() == {
        "name": "code/risk.py:predict",
        "sha256": hashlib.sha256(SOURCE.encode()).hexdigest(),
    }
    assert load_predictor(source)({"w": 0.5}, {"x": [1, 2]}, rows=2) == [0.5, 1.0]


def test_a_predictor_outside_the_repository_goes_by_its_bare_name(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "risk.py").write_text(SOURCE)
    assert read_predictor(f"{tmp_path}/risk.py:predict", repo=tmp_path / "repo").name == "risk.py:predict"


@pytest.mark.parametrize(
    ("name", "says"),
    [("risk.py", "FILE.py:function"), ("risk:predict", "FILE.py:function"), ("gone.py:predict", "cannot be read")],
)
def test_a_name_that_leads_nowhere_is_a_wrong_question(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read_predictor(name, repo=tmp_path)


@pytest.mark.parametrize(("text", "says"), [("def (", "is not Python"), ("x = 1", "no function 'predict'")])
def test_a_file_without_the_function_is_a_wrong_question(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "risk.py").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        load_predictor(read_predictor("risk.py:predict", repo=tmp_path))


@pytest.mark.parametrize("answer", ["[]", "[1.0, 2.0]", "[float('nan')]", "[float('inf')]"])
def test_an_answer_that_is_not_one_finite_number_for_each_row_is_an_error(tmp_path: Path, answer: str) -> None:
    (tmp_path / "risk.py").write_text(f"def predict(weights, columns):\n    return {answer}\n")
    predictor = load_predictor(read_predictor("risk.py:predict", repo=tmp_path))
    with pytest.raises(ValueError, match="one probability for each row"):
        predictor({}, {"x": [1]}, rows=1)
