import { call, el } from "./dom.js";

const table = document.getElementById("documents");
const words = table.dataset;
const rows = table.tBodies[0];
const collection = document.getElementById("shown-collection");
const status = document.getElementById("shown-status");
const more = document.getElementById("more");
const said = document.getElementById("said");
const RUNNING = ["queued", "parsing", "embedding"];
const BATCH_FILES = 20;
const BATCH_BYTES = 50e6;
let pages = 1;
let timer = 0;

async function show() {
  clearTimeout(timer);
  const found = [];
  let after = "";
  let last = { has_more: true };
  for (let n = 0; n < pages && last.has_more; n++) {
    const query = new URLSearchParams({ limit: 100, ...(after && { after }) });
    if (collection.value) query.set("collection", collection.value);
    if (status.value) query.set("status", status.value);
    last = await call("GET", `/v1/documents?${query}`);
    found.push(...last.data);
    after = last.last_id;
  }
  more.hidden = !last.has_more;
  document.getElementById("none").hidden = found.length > 0;
  // A row that someone is about to act on stays as it is while the rest moves on.
  if (!rows.contains(document.activeElement)) rows.replaceChildren(...found.map(row));
  if (found.some((d) => RUNNING.includes(d.status))) timer = setTimeout(show, 1000);
}

function row(d) {
  const state = el("td", {}, words[d.status]);
  if (RUNNING.includes(d.status)) state.append(" ", el("progress", { max: 100, value: d.progress, ariaLabel: d.filename }), ` ${d.progress} %`);
  if (d.error) state.append(el("p", { className: "problem", textContent: d.error.reason }));
  const name = el("td", {}, el("a", { href: `/portal/documents/${encodeURIComponent(d.id)}`, textContent: d.path }), el("p", { className: "dim", textContent: `${d.collection} · ${words.version} ${d.version}` }));
  return el("tr", {}, name, state, el("td", { textContent: d.passages }), el("td", { className: "actions" }, ...actions(d)));
}

function actions(d) {
  const path = `/v1/documents/${encodeURIComponent(d.id)}`;
  const button = (text, work) => el("button", { type: "button", textContent: text, onclick: () => act(work) });
  const found = [el("a", { href: `${path}/content`, textContent: words.download })];
  if (words.mayUpload !== "true") return found;
  if (RUNNING.includes(d.status)) found.push(button(words.cancel, () => call("POST", `${path}/cancel`)));
  if (["failed", "cancelled"].includes(d.status)) found.push(button(words.retry, () => call("POST", `${path}/retry`)));
  const chooser = el("input", { type: "file", className: "hidden", ariaLabel: words.replace });
  chooser.addEventListener("change", () => {
    const body = new FormData();
    body.append("files", chooser.files[0]);
    act(() => call("PUT", path, body));
  });
  found.push(button(words.replace, async () => chooser.click()), chooser);
  found.push(button(words.delete, () => (confirm(words.sure) ? call("DELETE", path) : null)));
  return found;
}

async function act(work) {
  try {
    await work();
  } catch (error) {
    said.textContent = `${words.failedRequest}: ${error.message}`;
  }
  document.activeElement.blur();
  show();
}

// files: [[File, relative path]]
async function upload(files) {
  const rejected = [];
  for (let at = 0; at < files.length; ) {
    const body = new FormData();
    body.append("collection", document.getElementById("collection").value || "default");
    for (let n = 0, bytes = 0; at < files.length && n < BATCH_FILES && (n === 0 || bytes < BATCH_BYTES); n++, at++) {
      body.append("files", files[at][0]);
      body.append("paths", files[at][1]);
      bytes += files[at][0].size;
    }
    said.textContent = `${words.uploading} ${at} / ${files.length}`;
    try {
      rejected.push(...(await call("POST", "/v1/documents", body)).rejected);
    } catch (error) {
      rejected.push({ filename: words.failedRequest, reason: error.message });
    }
    show();
  }
  said.replaceChildren(...rejected.map((r) => el("span", { className: "problem", textContent: `${r.filename}: ${words.rejected}. ${r.reason} ` })));
}

async function walk(entry) {
  if (entry.isFile) return [[await new Promise((done, fail) => entry.file(done, fail)), entry.fullPath.slice(1)]];
  const reader = entry.createReader();
  const found = [];
  // A reader hands out a hundred entries at a time, and says that it is done with none.
  for (let part; (part = await new Promise((done, fail) => reader.readEntries(done, fail))).length; ) {
    for (const child of part) found.push(...(await walk(child)));
  }
  return found;
}

const drop = document.getElementById("drop");
if (drop) {
  for (const id of ["files", "folder"]) {
    const chooser = document.getElementById(id);
    chooser.addEventListener("change", () => {
      upload([...chooser.files].map((f) => [f, f.webkitRelativePath || f.name]));
      chooser.value = "";
    });
  }
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry()).filter(Boolean);
    upload((await Promise.all(entries.map(walk))).flat());
  });
}
collection.addEventListener("change", show);
status.addEventListener("change", show);
more.addEventListener("click", () => {
  pages++;
  show();
});
show();
