"""Models of the service's own: which is in use, the atomic switch, and the way back."""

import json
import shutil

import pytest
from structlog.testing import capture_logs

from zuinig.app import models
from zuinig.app.models import SHIPPED, OwnModels
from zuinig.app.services import build, follow_models
from zuinig.core.errors import BadRequest, NotFound
from zuinig.core.settings import Settings
from zuinig.retrieval.embed import MODELS


def give(own: OwnModels, kind: models.Kind, name: str) -> None:
    """A trained model that differs from the shipped one in its name alone."""
    made = own.training(kind) / name
    shutil.copytree(MODELS / models.shipped(kind), made)
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"id": name}))
    own.add(kind, name, made)


@pytest.fixture
def own(tmp_path):
    return OwnModels(tmp_path)


def test_the_shipped_model_is_in_use_until_another_is(own):
    assert own.in_use("verifier") == SHIPPED
    give(own, "verifier", "mine")
    assert own.in_use("verifier") == SHIPPED
    own.use("verifier", "mine")
    assert [(x.name, x.in_use) for x in own.listed("verifier")] == [(SHIPPED, False), ("mine", True)]


def test_rollback_goes_back_one_model_at_a_time_and_then_says_that_there_is_no_other(own):
    for name in ("first", "second"):
        give(own, "verifier", name)
        own.use("verifier", name)
    assert own.rollback("verifier") == "first"
    assert own.rollback("verifier") == SHIPPED
    with pytest.raises(BadRequest, match="nothing to roll back"):
        own.rollback("verifier")


def test_using_the_one_in_use_again_leaves_the_way_back_as_it_was(own):
    give(own, "verifier", "mine")
    own.use("verifier", "mine")
    own.use("verifier", "mine")
    assert own.rollback("verifier") == SHIPPED


@pytest.mark.parametrize("name", ["other", "../verifier/mine", "training", ""])
def test_only_a_model_that_is_there_can_be_used(own, name):
    give(own, "verifier", "mine")
    own.training("verifier")
    with pytest.raises(NotFound, match="shipped, mine"):
        own.use("verifier", name)
    assert own.in_use("verifier") == SHIPPED


def test_a_switch_that_breaks_off_leaves_the_old_one_in_use(own, monkeypatch, tmp_path):
    give(own, "verifier", "mine")
    own.use("verifier", "mine")
    monkeypatch.setattr(models, "flush", lambda path: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        own.use("verifier", SHIPPED)
    assert OwnModels(tmp_path).in_use("verifier") == "mine"


def test_a_service_begins_with_the_model_in_use(tmp_path):
    own = OwnModels(tmp_path)
    give(own, "verifier", "mine")
    own.use("verifier", "mine")
    services = build(Settings(data_dir=tmp_path, ingest_workers=0))
    assert services.verifier.id == "mine"
    services.close()


def test_a_setting_goes_before_what_was_trained(tmp_path):
    own = OwnModels(tmp_path)
    give(own, "verifier", "mine")
    own.use("verifier", "mine")
    settings = Settings(data_dir=tmp_path, verifier=models.shipped("verifier"))
    assert models.folder(settings, "verifier") == MODELS / models.shipped("verifier")


def test_a_running_service_takes_over_reader_and_verifier(services):
    own = OwnModels(services.settings.data_dir)
    for kind in ("reader", "verifier"):
        give(own, kind, f"my-{kind}")
        own.use(kind, f"my-{kind}")
    follow_models(services.settings, services.specialist, services.verifier)
    assert (services.specialist.reader.id, services.verifier.id) == ("my-reader", "my-verifier")
    own.rollback("reader")
    follow_models(services.settings, services.specialist, services.verifier)
    assert (services.specialist.reader.id, services.verifier.id) == (models.shipped("reader"), "my-verifier")


@pytest.mark.parametrize("spoilt", ["config.json", "model.onnx"])
def test_a_model_that_cannot_be_used_changes_nothing_in_a_running_service(services, spoilt):
    own = OwnModels(services.settings.data_dir)
    give(own, "verifier", "mine")
    own.use("verifier", "mine")
    (own.folder("verifier", "mine") / spoilt).write_text("{}")
    with capture_logs() as logs:
        follow_models(services.settings, services.specialist, services.verifier)
    assert services.verifier.id == models.shipped("verifier")
    assert [x["event"] for x in logs] == ["model.not_taken_over"]
