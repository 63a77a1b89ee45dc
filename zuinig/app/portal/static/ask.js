import { el } from "./dom.js";
import { money, time } from "./shown.js";

const turns = document.getElementById("turns");
const form = document.getElementById("ask");
const input = document.getElementById("question");
const words = turns.dataset;
let conversation = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = input.value.trim();
  if (question) ask(question);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    form.requestSubmit();
  }
});
document.getElementById("new").addEventListener("click", () => {
  conversation = null;
  turns.replaceChildren();
  input.focus();
});

async function ask(question) {
  const answer = el("p", { className: "answer" });
  const turn = el("article", { className: "turn" }, el("h2", { textContent: question }), answer);
  turns.append(turn);
  input.value = "";
  try {
    const body = JSON.stringify({ question, stream: true, ...(conversation && { conversation_id: conversation }) });
    const response = await fetch("/v1/chat", { method: "POST", body, headers: { "content-type": "application/json" } });
    if (!response.ok) throw new Error((await response.json()).detail);
    for await (const [name, data] of events(response.body)) {
      if (name === "delta") answer.textContent += data.text;
      if (name === "error") throw new Error(data.detail);
      if (name === "done") {
        conversation = data.conversation_id;
        finish(turn, answer, data);
      }
    }
  } catch (error) {
    turn.append(el("p", { className: "problem", role: "alert", textContent: `${words.failedRequest}: ${error.message}` }));
  }
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
      const [, name] = /^event: (.*)$/m.exec(text.slice(0, at)) ?? [];
      const [, data] = /^data: (.*)$/m.exec(text.slice(0, at)) ?? [];
      text = text.slice(at + 2);
      if (name) yield [name, JSON.parse(data)];
    }
  }
}

function finish(turn, answer, data) {
  const link = (n) => {
    const c = data.citations[n - 1];
    return c && `/portal/documents/${encodeURIComponent(c.document_id)}?start=${c.start}&end=${c.end}#quote`;
  };
  answer.replaceChildren(
    ...data.answer.split(/(\[\d+\])/).map((part) => {
      const href = /^\[\d+\]$/.test(part) && link(Number(part.slice(1, -1)));
      return href ? el("a", { href, textContent: part }) : part;
    }),
  );
  const source = { memory: words.fromMemory, specialist: words.fromSpecialist, llm: words.fromLlm, none: words.fromNone }[data.source];
  const when = data.memory ? ` ${time(data.memory.created_at)}` : "";
  const u = data.usage;
  const cost = `${u.prompt_tokens + u.completion_tokens} ${words.tokensSpent} (${money(u.cost)}), ${u.saved_tokens} ${words.tokensSaved} (${money(u.saved_cost)})`;
  const about = el("p", { className: "about" }, el("span", { className: `source ${data.source}`, textContent: source + when }), ` ${cost}`);
  const cited = data.citations.map((c, i) => {
    const page = c.page ? `, ${words.page} ${c.page}` : "";
    return el("li", {}, el("a", { href: link(i + 1), textContent: c.title + page }));
  });
  turn.append(about, el("ol", { className: "citations" }, ...cited), feedback(data.answer_id));
}

function feedback(id) {
  const box = el("p", { className: "feedback" });
  const say = async (verdict) => {
    const body = JSON.stringify({ verdict });
    await fetch(`/v1/answers/${id}/feedback`, { method: "POST", body, headers: { "content-type": "application/json" } });
    box.textContent = words.thanks;
  };
  box.append(
    el("button", { type: "button", textContent: words.good, onclick: () => say("up") }),
    el("button", { type: "button", textContent: words.bad, onclick: () => say("down") }),
  );
  return box;
}
