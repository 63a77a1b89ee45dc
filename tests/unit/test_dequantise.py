"""Going on from int8 weights. Needs the extra `torch`, which CI leaves out: run where that is installed."""

import json

import numpy as np
import pytest

from zuinig.app import models
from zuinig.memory.verify import PairReader
from zuinig.retrieval.cross_encoder import CrossEncoder
from zuinig.retrieval.embed import MODELS, OnnxEmbedder
from zuinig.training.dialogs import Evident, Lesson, Weighed

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnx")

PAIRS = [
    ("How do I reset my password?", "I forgot my password, how do I set a new one?"),
    ("How do I enable the alarm?", "How do I disable the alarm?"),
    ("What is the capital of France?", "How old is the Earth?"),
    ("When does the canteen open?", "From what time is there lunch in the canteen?"),
]


@pytest.fixture(scope="module")
def pupils():
    from zuinig.training import pupils

    return pupils


def inputs(pupil):
    from zuinig.training import losses

    return losses._inputs(losses.tokenizer(pupil.base, 96).encode_batch(PAIRS))


def test_a_dequantised_verifier_gives_the_logits_of_the_small_one(pupils):
    base = MODELS / models.shipped("verifier")
    pupil = pupils.of("verifier", base)
    with torch.no_grad():
        found = pupil.model.eval()(**inputs(pupil)).numpy()
    # Activations are rounded too, which the weights cannot tell.
    assert found == pytest.approx(PairReader(base).logits(PAIRS), abs=0.8)


def test_a_dequantised_reader_gives_the_logits_of_the_small_one(pupils):
    base = MODELS / models.shipped("reader")
    pupil = pupils.of("reader", base)
    model = CrossEncoder(base, max_tokens=96)
    [[passages, tokens]] = model.run([model.encode(PAIRS)], None)
    with torch.no_grad():
        of_passages, of_tokens = pupil.model.eval()(**inputs(pupil))
    assert of_passages.numpy() == pytest.approx(passages, abs=0.8)
    mask = inputs(pupil)["attention_mask"].bool().numpy()
    both = of_tokens.numpy()[mask].ravel(), tokens[:, : mask.shape[1]][mask].ravel()
    assert np.corrcoef(*both)[0, 1] > 0.97


def test_a_dequantised_embedder_gives_the_vectors_of_the_small_one(pupils):
    base = MODELS / models.shipped("embedder")
    pupil = pupils.of("embedder", base)
    from zuinig.training import losses

    texts = [text for pair in PAIRS for text in pair]
    encoded = losses._inputs(losses.tokenizer(base, 96).encode_batch(texts))
    with torch.no_grad():
        found = pupil.model.eval()(encoded["input_ids"], encoded["attention_mask"]).numpy()
    assert (found * OnnxEmbedder(base).embed(texts)).sum(1).min() > 0.98


def examples(kind):
    if kind == "reader":
        text = "House\nThe canteen opens at noon. Bicycles stand in the yard."
        held = ((6, 32),)
        return [Lesson("When does the canteen open?", text, held, (), True), Lesson("Who?", text, (), held, None)]
    if kind == "verifier":
        return [Weighed(a, b, n % 2 == 0, 1.0) for n, (a, b) in enumerate(PAIRS)]
    return [Evident(a, b) for a, b in PAIRS]


@pytest.mark.parametrize("kind", models.KINDS)
def test_a_few_steps_lower_the_loss_and_the_export_is_a_model_of_the_service(pupils, tmp_path, kind):
    from zuinig.training.fine_tune import Plan, fine_tune

    base, told = MODELS / models.shipped(kind), []
    pupil, lessons = pupils.of(kind, base), examples(kind)
    plan = Plan(passes=10, batch=2, rate=3e-5, minutes=5)
    fine_tune(pupil.model, lessons, lessons, pupil.loss, plan, tmp_path / "state.pt", told.append)
    losses = [float(line.rsplit(" ", 1)[1]) for line in told if line.startswith(("4 examples", "2 examples"))]
    assert float(told[-1].rsplit(" ", 1)[1]) < losses[0]
    made = tmp_path / "made"
    pupil.write(tmp_path, made)
    if kind == "embedder":
        assert OnnxEmbedder(made).id == "made"
    else:
        model = CrossEncoder(made, max_tokens=96)
        assert model.run([model.encode(PAIRS)], None)[0] is not None


def test_what_was_learnt_is_still_there_once_the_weights_are_small_again(pupils, tmp_path):
    """Fine-tuning moves a weight by less than lies between two of its values in int8."""
    from zuinig.training.fine_tune import Plan, fine_tune

    base, lessons = MODELS / models.shipped("verifier"), examples("verifier")
    pupil, made = pupils.of("verifier", base), tmp_path / "made"
    before = PairReader(base).logits(PAIRS)
    plan = Plan(passes=8, batch=2, rate=1e-4, minutes=5)
    fine_tune(pupil.model, lessons, lessons, pupil.loss, plan, tmp_path / "state.pt", lambda _: None)
    with torch.no_grad():
        learnt = pupil.model(**inputs(pupil)).numpy()
    pupil.write(tmp_path, made)
    assert np.abs(learnt - before).max() > 2
    assert PairReader(made).logits(PAIRS) == pytest.approx(learnt, abs=1)


def test_a_training_goes_on_from_its_checkpoint_to_the_same_weights(pupils, tmp_path, monkeypatch):
    from zuinig.training import fine_tune

    monkeypatch.setattr(fine_tune, "_CHECKPOINT_EVERY_S", 0.0)
    base, lessons = MODELS / models.shipped("verifier"), examples("verifier")
    plan = fine_tune.Plan(passes=3, batch=2, rate=3e-5, minutes=1e9)

    def trained(saved, stop_after=None):
        pupil, done = pupils.of("verifier", base), []

        def told(line):
            done.append(line)
            if stop_after is not None and line.startswith(f"after step {stop_after}"):
                raise KeyboardInterrupt

        fine_tune.fine_tune(pupil.model, lessons, lessons, pupil.loss, plan, saved, told)
        return pupil.model.state_dict(), done

    whole, _ = trained(tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken.pt", stop_after=4)
    resumed, told = trained(tmp_path / "broken.pt")
    assert told[0].startswith("goes on from step")
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-5) for name in whole)


def test_the_training_of_the_verifier_goes_on_from_the_shipped_one(tmp_path, monkeypatch):
    from zuinig.training import export_verifier, train_verifier

    base = MODELS / models.shipped("verifier")
    rows = [{"a": a, "b": b, "label": n % 2, "weight": 1.0} for n, (a, b) in enumerate(PAIRS)]
    (tmp_path / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    # A rate of nothing: what comes out is what went in.
    given = [base, tmp_path / "pairs.jsonl", tmp_path / "ck", "--epochs", 1, "--rate", 0]
    monkeypatch.setattr("sys.argv", ["train_verifier", *map(str, given)])
    train_verifier.main()
    export_verifier.export(tmp_path / "ck/final", tmp_path / "made")
    assert PairReader(tmp_path / "made").logits(PAIRS) == pytest.approx(PairReader(base).logits(PAIRS), abs=0.5)
