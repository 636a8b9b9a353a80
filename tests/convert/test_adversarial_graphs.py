"""Graphs made to mislead a lowering that guesses: each converts exactly, or is refused with a reason.

Random inputs, onnxruntime as the oracle, batch 1, 2 and 5, in the SavedModel and in LiteRT.
"""

from __future__ import annotations

from pathlib import Path

import adversarial_graphs as graphs
import adversarial_jobs
import pytest
from adversarial_jobs import CaseRatios

from verify.worker import Worker

RIGHT_DB = 110.0
"""float32 rounding over a few ops; one wrong axis is below 10."""

FUZZED_GRAPHS = 300


@pytest.fixture(scope="module")
def ratios(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, CaseRatios]:
    folder = tmp_path_factory.mktemp("cases")
    path = graphs.save(list(graphs.CASES), folder / "cases.onnx")
    return worker.run(adversarial_jobs.convert_cases, onnx_path=path, folder=folder).value


@pytest.mark.parametrize("name", graphs.CASES)
def test_adversarial_graph_is_exact(name: str, ratios: dict[str, CaseRatios]) -> None:
    assert ratios[name].saved_model_db >= RIGHT_DB
    assert ratios[name].tflite_db >= RIGHT_DB


@pytest.mark.parametrize("name", graphs.REFUSED)
def test_adversarial_graph_is_refused_with_its_reason(name: str, worker: Worker, tmp_path: Path) -> None:
    path = graphs.save([name], tmp_path / "case.onnx")

    assert graphs.REFUSED[name][1] in worker.run(adversarial_jobs.refusal_of, onnx_path=path, folder=tmp_path).value


def test_there_are_at_least_thirty() -> None:
    assert len(graphs.CASES) + len(graphs.REFUSED) >= 30


@pytest.mark.slow
def test_random_graphs_are_exact_or_refused(worker: Worker, tmp_path: Path) -> None:
    outcomes = worker.run(adversarial_jobs.fuzz, count=FUZZED_GRAPHS, folder=tmp_path).value

    assert not outcomes["wrong"]
    assert len(outcomes["same"]) >= 0.9 * FUZZED_GRAPHS
