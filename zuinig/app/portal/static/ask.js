// The answer streams in as text; when it is complete, the turn as the server renders it takes its place.
import { events } from "./events.js";
import { reason } from "./reason.js";

const turns = document.getElementById("turns");
const form = document.getElementById("ask");
const input = document.getElementById("question");
const button = form.querySelector("button");
const words = turns.dataset;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = input.value.trim();
  if (question && !button.disabled) ask(question);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
turns.lastElementChild?.scrollIntoView({ block: "nearest" });

async function ask(question) {
  const turn = begin(question);
  const answer = turn.querySelector(".answer");
  // Read out once it is complete, not word by word.
  turns.ariaBusy = "true";
  button.disabled = true;
  input.value = "";
  try {
    const { answer_id, conversation_id } = await stream(question, answer);
    words.conversation = conversation_id;
    history.replaceState(history.state, "", `/portal/?conversation=${encodeURIComponent(conversation_id)}`);
    await htmx.ajax("GET", `/portal/answers/${encodeURIComponent(answer_id)}`, { target: turn, swap: "outerHTML" });
  } catch (error) {
    answer.classList.remove("waiting");
    const problem = document.createElement("p");
    problem.className = "problem";
    problem.role = "alert";
    problem.textContent = `${words.failed}: ${error instanceof TypeError ? words.unreachable : error.message}`;
    turn.append(problem);
    input.value ||= question;
  }
  turns.ariaBusy = "false";
  button.disabled = false;
  turns.lastElementChild.scrollIntoView({ block: "nearest" });
}

function begin(question) {
  document.getElementById("welcome").hidden = true;
  const turn = document.createElement("article");
  turn.className = "turn";
  turn.append(document.createElement("h2"), document.createElement("p"));
  turn.firstChild.textContent = question;
  turn.lastChild.className = "answer waiting";
  turn.lastChild.textContent = words.thinking;
  turns.append(turn);
  turn.scrollIntoView({ block: "nearest" });
  return turn;
}

// Returns the data of `done`. Throws what the service says, or that it said nothing.
async function stream(question, answer) {
  const body = JSON.stringify({ question, stream: true, conversation_id: words.conversation || undefined });
  const response = await fetch("/v1/chat", { method: "POST", body, headers: { "content-type": "application/json" } });
  if (response.status === 401) location.assign("/portal/sign-in");
  if (!response.ok) throw new Error(reason(await response.json().catch(() => null)) ?? response.statusText);
  let text = "";
  for await (const [name, data] of events(response.body)) {
    if (name === "error") throw new Error(data.detail);
    if (name === "done") return data;
    if (name !== "delta") continue;
    answer.classList.remove("waiting");
    answer.textContent = text += data.text;
  }
  throw new Error(words.broken);
}
