"""Training on a service's own memory, but for torch itself: what is refused, compared, switched and left as it was."""

import json
import shutil

import pytest
import sqlalchemy as sa
from running import ingest
from taught import fill, learn, question, sentence

from zuinig.app import models
from zuinig.app.models import SHIPPED, OwnModels
from zuinig.app.services import build
from zuinig.core.errors import BadRequest, ConfigurationError
from zuinig.core.settings import Settings
from zuinig.core.tables import DocumentVersion, Passage
from zuinig.retrieval.embed import MODELS
from zuinig.retrieval.reindex import adopt, waiting
from zuinig.training import from_memory
from zuinig.training.compare import Budget, Measure, Verdict, chance, verdict
from zuinig.training.dialogs import part
from zuinig.training.own_reader import ReaderCourse

WAYS = ("At what time", "At which hour", "From when", "Since when", "On what day", "In which week", "How late", "Why")


def copied(kind, base, taught, tune, work, made):
    """A training that learns nothing: the base again."""
    assert taught and tune
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copy(base / name, made / name)


class Course:
    """Two measures of forty questions, of which the new model has so many more right."""

    noun, known, held = "questions", 200, 40

    def __init__(self, gained=0, wrong=0):
        self.gained, self.wrong, self.taken = gained, wrong, False

    def taught(self, part):
        return [from_memory.Lesson("q", "t", ((0, 1),), (), True)]

    def calibrate(self, base, made):
        config = json.loads((base / "config.json").read_text())
        (made / "config.json").write_text(json.dumps(config | {"id": made.name}))
        return "kept"

    def compare(self, base, made):
        old = [0.0] * 40
        new = [1.0] * self.gained + [0.0] * (40 - self.gained)
        return [Measure("right", old, new)], Budget(self.wrong, 40, 0.05)

    def take_over(self, made):
        self.taken = True
        return ""

    def close(self):
        pass


@pytest.fixture
def own(quick):
    return OwnModels(quick.settings.data_dir)


def run(services, monkeypatch, course, train=copied):
    monkeypatch.setitem(from_memory.COURSES, "reader", lambda _: course)
    return from_memory.run(services, "reader", train)


def test_too_little_is_refused_with_how_much_there_is_and_how_much_is_needed(quick, own):
    fill(quick, 20)
    with pytest.raises(BadRequest, match=r"There are 20 questions .* 30 are needed .* about 150 in all"):
        from_memory.run(quick, "reader", copied)
    assert own.in_use("reader") == SHIPPED


@pytest.mark.parametrize("kind", ["verifier", "embedder"])
def test_nothing_in_memory_is_refused_for_each_kind(quick, kind):
    with pytest.raises(BadRequest, match="There are 0 "):
        from_memory.run(quick, kind, copied)


def test_a_model_that_a_setting_names_is_not_trained_past_it(quick):
    quick.settings.model_fields_set.add("reader")
    with pytest.raises(ConfigurationError, match="ZUINIG_READER"):
        from_memory.run(quick, "reader", copied)


def test_a_better_model_is_in_use_at_once_and_the_old_one_is_kept(quick, own, monkeypatch):
    course = Course(gained=10)
    found = run(quick, monkeypatch, course)
    assert course.taken and own.in_use("reader") == found.name
    assert json.loads((own.folder("reader", found.name) / "config.json").read_text())["id"] == found.name
    assert own.rollback("reader") == SHIPPED


@pytest.mark.parametrize("course", [Course(), Course(gained=3), Course(gained=40, wrong=12)])
def test_a_model_that_is_not_better_or_too_often_wrong_is_not_taken(quick, own, monkeypatch, course):
    found = run(quick, monkeypatch, course)
    assert (found.name, course.taken, own.in_use("reader")) == (None, False, SHIPPED)
    assert [x.name for x in own.listed("reader")] == [SHIPPED]


def test_a_training_that_breaks_off_changes_nothing_and_is_gone_on_with(quick, own, monkeypatch):
    begun = []

    def breaks(kind, base, taught, tune, work, made):
        begun.append(made.name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(quick, monkeypatch, Course(gained=40), breaks)
    assert own.in_use("reader") == SHIPPED
    assert run(quick, monkeypatch, Course(gained=40)).name == begun[0]


def test_a_training_from_another_base_begins_anew(quick, own, monkeypatch):
    def breaks(kind, base, taught, tune, work, made):
        (work / "state.pt").write_text("of the old base")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(quick, monkeypatch, Course(gained=40), breaks)
    made = own.training("reader").parent / "other"
    shutil.copytree(MODELS / models.shipped("reader"), made)
    own.use("reader", "other")

    def fresh(kind, base, taught, tune, work, made):
        assert not (work / "state.pt").exists()
        copied(kind, base, taught, tune, work, made)

    assert run(quick, monkeypatch, Course(gained=40), fresh).name is not None


def test_the_same_reader_again_is_not_better(quick, own):
    quick.specialist.passages = 2
    fill(quick, 170)
    found = from_memory.run(quick, "reader", copied)
    assert not found.verdict.better and own.in_use("reader") == SHIPPED
    assert all(m.better == m.worse == 0 for m in found.measures)


def test_a_reader_that_finds_what_the_other_does_not_is_better(services, tmp_path):
    fill(services, 40)
    course = ReaderCourse(services)
    good = MODELS / models.shipped("reader")
    blind = shutil.copytree(good, tmp_path / "blind")
    config = json.loads((good / "config.json").read_text())
    values = config["sentence"]["value"]
    config["sentence"]["value"] = [[-v for v in tree] for tree in values]
    (blind / "config.json").write_text(json.dumps(config))
    (first, _), _ = course.compare(blind, good)
    assert first.better > 0 == first.worse


def test_the_verifier_is_compared_by_what_memory_would_serve(services):
    memory = learn_house(services)
    for n in range(8):
        wording = f"{WAYS[n]} is the room locked?"
        services.curate.add_wording(memory, wording, differs=False, by="Ann")
    found = from_memory.run(services, "verifier", copied)
    assert not found.verdict.better
    assert [m.decides for m in found.measures] == [True, False, False]
    assert all(list(m.old) == list(m.new) for m in found.measures)


def learn_house(services):
    """A memory whose pairs are all held out."""
    asked = next(q for n in range(99) if part(q := f"When is room {n} locked?") == "held out")
    ingest(services, "house.md", "# House\n\nThe rooms are locked at ten in the evening.\n")
    return learn(services, asked, "The rooms are locked at ten in the evening.")


def embedder_copied(kind, base, taught, tune, work, made):
    copied(kind, base, taught, tune, work, made)
    config = json.loads((base / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"id": made.name}))


def test_the_same_embedder_again_is_not_better_and_leaves_every_vector_as_it_was(services):
    own = OwnModels(services.settings.data_dir)
    fill(services, 170)
    found = from_memory.run(services, "embedder", embedder_copied)
    assert not found.verdict.better and own.in_use("embedder") == SHIPPED
    assert all(list(m.old) == list(m.new) for m in found.measures)
    assert waiting(services.db, services.embedder.id) == 0


def test_a_better_embedder_brings_all_its_vectors_and_is_there_at_the_next_start(services, monkeypatch):
    own = OwnModels(services.settings.data_dir)
    asked = fill(services, 170)
    monkeypatch.setattr(from_memory, "verdict", lambda *_: Verdict(True, "said so"))
    name = from_memory.run(services, "embedder", embedder_copied).name
    # The service that runs answers from the vectors in its memory.
    assert services.search.search(asked[7], 1)[0].similarity > 0.5
    services.close()
    again = build(services.settings)
    assert again.embedder.id == name == own.in_use("embedder")
    assert waiting(again.db, name) == 0
    assert again.search.search(asked[7], 1)[0].similarity > 0.5
    assert again.recall.find(asked[7]).hit is not None
    again.close()


def test_vectors_of_a_copy_are_taken_over_but_for_what_changed_since(quick, tmp_path, fake_embedder):
    fill(quick, 3)
    other = build(Settings(data_dir=tmp_path / "other", ingest_workers=0))
    ingest(other, "shelves.md", "# Shelves\n\n" + "\n\n".join(sentence(n, t) for n, t in enumerate(("lamp", "boat"))))
    learn(other, question(0, "lamp"), sentence(0, "lamp"))
    with other.db.write() as session:
        session.execute(sa.update(DocumentVersion).values(embedder="new"))
        session.execute(sa.update(Passage).values(vector=b"\1" * 64))
    with quick.db.read() as session:
        first = session.scalar(sa.select(Passage.id).order_by(Passage.id))
    assert adopt(quick.db, other.db, "new") == 1
    with quick.db.read() as session:
        assert session.scalar(sa.select(Passage.vector).where(Passage.id == first)) == b"\1" * 64
        assert session.scalars(sa.select(DocumentVersion.embedder)).all() == ["new"]
    assert waiting(quick.db, "new") == 3
    other.close()


def test_what_another_embedder_made_is_found_by_its_words_alone(quick):
    fill(quick, 3)
    with quick.db.write() as session:
        session.execute(sa.update(DocumentVersion).values(embedder="new"))
    quick.passages.rebuild()
    [hit] = quick.search.search("lamp shelf weight", 5)
    assert hit.similarity == 0


def test_chance_is_that_of_the_sign_test():
    assert chance(0, 0) == 1
    assert chance(5, 0) == 1 / 32
    assert chance(3, 3) > 0.5


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [(0, 0, False), (4, 0, False), (6, 0, True), (20, 15, False), (20, 5, True), (0, 6, False)],
)
def test_better_is_more_than_chance(better, worse, expected):
    old = [0.0] * better + [1.0] * worse
    assert verdict([Measure("right", old, [1 - x for x in old])]).better == expected


def test_what_only_guards_can_forbid_and_not_decide():
    won, lost, same = [0.0] * 10, [1.0] * 10, [0.0] * 10
    decides, guard = Measure("own", won, lost), Measure("general", lost, won, decides=False)
    assert verdict([decides, Measure("general", same, same, decides=False)]).better
    assert verdict([decides, guard]).why == "it is worse: general"
    assert not verdict([Measure("own", same, same), Measure("general", won, lost, decides=False)]).better
