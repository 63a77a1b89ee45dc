"""Events come back as they were sent, whatever is in them: by the specification's rules, and by the portal's reader."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zuinig.app.api import sse

READER = Path(__file__).parents[2] / "zuinig" / "app" / "portal" / "static" / "events.js"
# Ends of lines to some: to a specification, to str.splitlines, to a JavaScript of old.
NASTY = "a\r\nb\rc\n\nd\u2028e\u2029f\x85g\x0b\x0c\0\ufeffh event: done\ndata: {}\n\n: comment\nid: 1\nretry: 1"

texts = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from([NASTY, "\n\ndata: x\n\n", "\r\r", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
streams = st.lists(st.tuples(st.sampled_from(["delta", "progress", "done", "error"]), values), max_size=6)


def parsed(stream: str) -> list[tuple[str, object]]:
    """By https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation."""
    found, name, data = [], "", []
    for line in re.split("\r\n|\n|\r", stream.removeprefix("\ufeff")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append((name, json.loads("\n".join(data))))
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return found


@given(streams)
@example([("delta", NASTY), ("done", {NASTY: NASTY})])
def test_events_come_back_by_the_rules_of_the_specification(events):
    text = "".join(sse.event(name, data) for name, data in events)
    assert parsed(text) == events
    assert text.encode().decode() == text


def test_half_a_surrogate_does_not_end_a_stream():
    assert parsed(sse.event("delta", {"text": "a\ud83db"}).encode().decode()) == [("delta", {"text": "a?b"})]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """read(stream, sizes): the events that the portal's own reader finds in it, sent in chunks of so many bytes."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed; the browser's tests read streams too")
    folder = tmp_path_factory.mktemp("reader")
    shutil.copy(READER, folder / "events.mjs")
    (folder / "read.mjs").write_text("""
import { events } from "./events.mjs";
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { stream, sizes } = JSON.parse(line);
  const bytes = new TextEncoder().encode(stream);
  const body = new ReadableStream({ start(controller) {
    for (let at = 0, n = 0; at < bytes.length; at += sizes[n++ % sizes.length]) {
      controller.enqueue(bytes.slice(at, at + sizes[n % sizes.length]));
    }
    controller.close();
  } });
  const found = [];
  for await (const event of events(body)) found.push(event);
  process.stdout.write(JSON.stringify(found) + "\\n");
}
""")
    process = subprocess.Popen(
        [node, folder / "read.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )

    def read(stream, sizes):
        process.stdin.write(json.dumps({"stream": stream, "sizes": sizes}) + "\n")
        process.stdin.flush()
        return [tuple(pair) for pair in json.loads(process.stdout.readline())]

    yield read
    process.stdin.close()
    process.wait(20)


@given(events=streams, sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4))
@settings(deadline=None)
@example(events=[("delta", NASTY), ("done", {NASTY: "\U0001f6b2é"})], sizes=[1])
def test_events_come_back_by_the_reader_of_the_portal(reader, events, sizes):
    text = ": waiting\n\n".join(["", *(sse.event(name, data) for name, data in events)])
    assert reader(text, sizes) == events
