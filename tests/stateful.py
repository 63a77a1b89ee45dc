"""What the stateful tests share: a service with an embedder of words, set up once and copied for each example."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import WordEmbedder
from hypothesis import HealthCheck
from hypothesis import settings as trials
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from zuinig.app.services import build, parser
from zuinig.core.settings import Settings
from zuinig.ingestion.parse import Parser
from zuinig.retrieval import embed


def run(
    machine: Callable[[Callable[[], Path], Parser], RuleBasedStateMachine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    steps: int,
) -> None:
    """machine(fresh, reading): fresh() gives the data directory of a service that knows nothing."""
    embedder, empty, folder = WordEmbedder(), tmp_path / "empty", tmp_path / "data"
    monkeypatch.setattr(embed, "load", lambda *_, **__: embedder)
    build(Settings(data_dir=empty, ingest_workers=0)).close()

    def fresh() -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(empty, folder)
        return folder

    with parser(Settings(data_dir=tmp_path)) as reading:
        run_state_machine_as_test(
            lambda: machine(fresh, reading),
            settings=trials(
                max_examples=10, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
