// The server says what a file would change (_import.html); the import itself goes to the API, which tells how far it is.
import { events } from "./events.js";
import { reason } from "./reason.js";

const form = document.getElementById("importing");
const result = document.getElementById("import-result");
const words = form.dataset;
let busy = false;

form.addEventListener("click", ({ target }) => {
  if (target.name === "cancel") clear();
  if (target.name === "import" && !busy) run(target);
});
// So that the same file, once mended, is noticed when it is chosen again.
form.addEventListener("htmx:response:error", clear);
window.addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});

async function run(button) {
  busy = true;
  const progress = result.querySelector("progress");
  const controls = [form.elements.file, ...result.querySelectorAll("button")];
  const [file] = form.elements.file.files;
  for (const control of controls) control.disabled = true;
  progress.hidden = false;
  try {
    const counts = await send(file, button.value, progress);
    const text = Object.entries(counts).reduce((said, [name, n]) => said.replace(`{${name}}`, n), words.done);
    clear();
    say(text, "done");
    document.dispatchEvent(new CustomEvent("imported"));
  } catch (error) {
    say(`${words.failed}: ${error instanceof TypeError ? words.broken : error.message}`, "problem");
    progress.hidden = true;
  }
  for (const control of controls) control.disabled = false;
  busy = false;
}

// Returns the data of `done`. Throws what the service says, or that it broke off.
async function send(file, media, progress) {
  const headers = { "content-type": media, accept: "text/event-stream" };
  const response = await fetch("/v1/memories/import", { method: "POST", body: file, headers });
  if (response.status === 401) location.assign("/portal/sign-in");
  if (!response.ok) throw new Error(reason(await response.json().catch(() => null)) ?? response.statusText);
  for await (const [name, data] of events(response.body)) {
    if (name === "error") throw new Error(data.detail);
    if (name === "done") return data;
    progress.value = data.done;
  }
  throw new Error(words.broken);
}

function clear() {
  form.reset();
  result.replaceChildren();
}

function say(text, kind) {
  const line = result.querySelector(".said") ?? document.createElement("p");
  line.className = `said ${kind}`;
  line.role = kind === "done" ? "status" : "alert";
  line.textContent = text;
  result.prepend(line);
}
