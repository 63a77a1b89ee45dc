"""Invariant 7: what was accepted ends as ready or as failed with a reason, whatever is killed."""

import io
import os
import signal
import subprocess
import sys
import time

import sqlalchemy as sa

from zuinig.core.tables import DocumentVersion, Passage
from zuinig.core.types import DocumentStatus
from zuinig.ingestion.queue import LeaseLost, Queue, cancel, retry


def accept(services, count: int) -> list[str]:
    return [
        services.uploads.accept(
            f"r{n}.md", io.BytesIO(f"# Room {n}\n\nRoom {n} holds {n} people.".encode()), "rooms"
        ).document_id
        for n in range(count)
    ]


def statuses(services) -> list[str]:
    with services.db.read() as session:
        return [str(s) for s in session.scalars(sa.select(DocumentVersion.status))]


def test_killed_workers_lose_nothing_and_leave_no_ghost(services):
    accept(services, 30)
    env = {**os.environ, "ZUINIG_DATA_DIR": str(services.settings.data_dir)}
    command = [sys.executable, "-c", "from zuinig.app.cli import main; main()", "worker"]
    for kill in (True, True, False):
        worker = subprocess.Popen(command, env=env, start_new_session=True, stdout=subprocess.DEVNULL)
        done = statuses(services).count("ready")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            ready = statuses(services).count("ready")
            if ready == 30 or (kill and ready > done):
                break
            time.sleep(0.02)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert statuses(services) == ["ready"] * 30
    with services.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Passage)) == 30
        assert session.scalar(sa.text("SELECT count(*) FROM passages_fts")) == 30
    assert services.passages.count() == 30


def test_a_file_that_ends_its_worker_each_time_fails_with_a_reason(services):
    [document] = accept(services, 1)
    for _ in range(services.settings.max_attempts):
        assert Queue(services.db, lease_s=-1, max_attempts=services.settings.max_attempts).claim() is not None
    assert services.queue.claim() is None
    view = services.documents.get(document)
    assert (view.status, view.error.code) == (DocumentStatus.FAILED, "crashed")
    assert len(view.error.reason) > 30


def test_what_was_cancelled_cannot_be_finished_and_can_be_tried_again(services):
    [document] = accept(services, 1)
    claim = services.queue.claim()
    with services.db.write() as session:
        cancel(session, document)
    try:
        services.queue.renew(claim)
        raise AssertionError("the lease should be lost")
    except LeaseLost:
        pass
    with services.db.write() as session:
        retry(session, document)
    assert services.queue.claim().version_id == claim.version_id


def test_the_same_bytes_add_nothing(services):
    first, second = accept(services, 1), accept(services, 1)
    assert first == second
    assert statuses(services) == ["queued"]


def test_those_who_upload_take_turns_however_much_one_of_them_sends(services, monkeypatch):
    def send(by: str, number: int) -> None:
        for n in range(number):
            services.uploads.accept(f"{by}{n}.md", io.BytesIO(f"# {by} {n}".encode()), "rooms", by=by)

    def claimed() -> str:
        return services.queue.claim().filename.removesuffix(".md")

    send("ann", 40)
    assert [claimed(), claimed()] == ["ann0", "ann1"]
    send("bob", 2)
    monkeypatch.setattr("zuinig.ingestion.queue._PLANNED_FOR_S", 0)
    services.queue._turns._old_from = 0  # the two seconds are over
    assert [claimed() for _ in range(5)] == ["bob0", "ann2", "bob1", "ann3", "ann4"]
    send("cas", 1)
    assert claimed() == "cas0"


def test_within_a_plan_they_take_turns_too(services):
    for by, number in (("ann", 20), ("bob", 20)):
        for n in range(number):
            services.uploads.accept(f"{by}{n}.md", io.BytesIO(f"# {by} {n}".encode()), "rooms", by=by)
    claimed = [services.queue.claim().filename for _ in range(40)]
    assert [name[:3] for name in claimed] == ["ann", "bob"] * 20
    assert services.queue.claim() is None
