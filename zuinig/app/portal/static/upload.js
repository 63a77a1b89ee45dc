// Files go up a few at a time, with how much was sent; how far they are read is the server's to tell (_tally.html).
import { reason } from "./reason.js";

const FILES_AT_ONCE = 20;
const BYTES_AT_ONCE = 50e6;
const LITTER = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini)$/i;

const form = document.getElementById("batch");
const { ids, total, refused, dropped } = form.elements;
const words = form.dataset;
const reasons = JSON.parse(words.reasons);
const sending = document.getElementById("sending");
const paused = document.getElementById("paused");
const refusals = document.getElementById("refusals");
let queue = [];
let busy = false;
let stopped = false;
let bytesTotal = 0;
let bytesSent = 0;

// found: {file, path, collection}, or {file, path, replaces: the id of the document it is the next version of};
// without a file where it could not be read.
function add(found) {
  if (!found.length) return;
  if (!busy && document.getElementById("tally").dataset.open === "0") begin();
  const files = found.filter(({ file }) => file);
  total.value = Number(total.value) + found.length;
  bytesTotal += files.reduce((sum, { file }) => sum + file.size, 0);
  queue.push(...files);
  for (const { path } of found.filter(({ file }) => !file)) refuse(path, { reason: words.unreadable });
  stopped = false;
  tell();
  if (!busy) send();
}

function begin() {
  ids.value = "";
  total.value = refused.value = dropped.value = 0;
  bytesTotal = bytesSent = 0;
  refusals.hidden = true;
  refusals.querySelector("ul").replaceChildren();
}

async function send() {
  busy = true;
  paused.hidden = true;
  while (queue.length && !stopped) {
    const part = take();
    const { status, data } = await request(part);
    if (!status || status === 401 || status === 408 || status === 429 || status >= 500) {
      queue.unshift(...part);
      paused.hidden = false;
      paused.firstChild.textContent = reason(data) ?? words.unreachable;
      break;
    }
    bytesSent += part.reduce((sum, { file }) => sum + file.size, 0);
    ids.value += (data?.accepted ?? []).map(({ id }) => `${id},`).join("");
    if (status >= 400) for (const { path } of part) refuse(path, data);
    else for (const one of data.rejected) refuse(one.filename, one);
    tell();
  }
  busy = false;
  sending.textContent = "";
  if (stopped) stop(); // what was on its way has arrived by now
}

async function stop() {
  stopped = true;
  paused.hidden = true;
  dropped.value = Number(dropped.value) + queue.length;
  queue = [];
  await htmx.ajax("POST", "/portal/uploads/cancel", { source: "#tally", target: "#tally", swap: "outerMorph" });
  tell();
}

function take() {
  let bytes = 0;
  let n = 0;
  const { collection, replaces } = queue[0];
  for (const next of queue) {
    const fits = n < FILES_AT_ONCE && bytes + next.file.size <= BYTES_AT_ONCE && !next.replaces && next.collection === collection;
    if (n > 0 && (replaces || !fits)) break;
    bytes += next.file.size;
    n++;
  }
  return queue.splice(0, n);
}

function request(part) {
  const [{ collection, replaces }] = part;
  const body = new FormData();
  for (const { file, path } of part) {
    body.append("files", file);
    if (!replaces) body.append("paths", path);
  }
  if (!replaces) body.append("collection", collection);
  return new Promise((done) => {
    const sent = new XMLHttpRequest();
    sent.open(replaces ? "PUT" : "POST", replaces ? `/v1/documents/${encodeURIComponent(replaces)}` : "/v1/documents");
    sent.responseType = "json";
    sent.upload.onprogress = ({ loaded }) => {
      const share = bytesTotal ? Math.min(100, Math.floor((100 * (bytesSent + loaded)) / bytesTotal)) : 100;
      sending.textContent = `${words.sending}: ${share} %`;
    };
    sent.onload = () => done({ status: sent.status, data: sent.response });
    sent.onerror = () => done({ status: 0 });
    sent.send(body);
  });
}

function refuse(path, data) {
  refused.value = Number(refused.value) + 1;
  const code = data?.code ?? data?.error?.code;
  const item = document.createElement("li");
  item.textContent = `${path}: ${reasons[code] ?? data?.reason ?? data?.detail ?? ""}`;
  refusals.querySelector("ul").append(item);
  refusals.hidden = false;
}

function tell() {
  document.dispatchEvent(new CustomEvent("uploaded"));
}

const chosen = (file, path) => ({ file, path, collection: document.getElementById("collection").value.trim() || "default" });

async function walk(entry) {
  const path = entry.fullPath.slice(1);
  if (entry.isFile) return [chosen(await new Promise((done, fail) => entry.file(done, fail)), path)];
  const reader = entry.createReader();
  const found = [];
  // A reader hands out a hundred entries at a time, and says that it is done with none.
  for (let part; (part = await new Promise((done, fail) => reader.readEntries(done, fail))).length; ) {
    for (const child of part) found.push(...(await walk(child).catch(() => [{ path: child.fullPath.slice(1) }])));
  }
  return found;
}

const wanted = ({ path }) => !LITTER.test(path);

for (const id of ["files", "folder"]) {
  const chooser = document.getElementById(id);
  chooser.addEventListener("change", () => {
    add([...chooser.files].map((file) => chosen(file, file.webkitRelativePath || file.name)).filter(wanted));
    chooser.value = "";
  });
}
document.addEventListener("change", ({ target }) => {
  if (!target.dataset.replace) return;
  add([...target.files].map((file) => ({ file, path: file.name, replaces: target.dataset.replace })));
  target.value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const found = await Promise.all(entries.map((entry) => walk(entry).catch(() => [{ path: entry.name }])));
  add(found.flat().filter(wanted));
});
document.addEventListener("click", ({ target }) => {
  if (target.id === "stop") stop();
});
paused.querySelector("button").addEventListener("click", send);
window.addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});
