// Times in the reader's zone, numbers as the reader writes them, the cited passage in view, and what htmx could not do.
import { reason } from "./reason.js";

const { lang, dataset } = document.documentElement;
const locale = navigator.languages.find((one) => one.startsWith(lang)) ?? lang;
const number = (options) => (value) => new Intl.NumberFormat(locale, options).format(value);
// An answer costs a fraction of a cent: two digits that say something, then.
const digits = (value) => (value && Math.abs(value) < 0.01 ? { maximumSignificantDigits: 2 } : {});

const FORMATS = {
  count: number({}),
  percent: number({ style: "percent" }),
  money: (value) => number({ style: "currency", currency: dataset.currency, ...digits(value) })(value),
  bytes: (value) =>
    value < 1e6
      ? number({ style: "unit", unit: "kilobyte", maximumFractionDigits: value < 1e4 ? 1 : 0 })(Math.max(0.1, value / 1e3))
      : number({ style: "unit", unit: "megabyte", maximumFractionDigits: 1 })(value / 1e6),
};
const time = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

function show() {
  for (const element of document.querySelectorAll("data[data-as]")) element.textContent = FORMATS[element.dataset.as](Number(element.value));
  for (const element of document.querySelectorAll("time")) element.textContent = time.format(new Date(element.dateTime));
}
show();
document.addEventListener("htmx:after:swap", show);

const said = document.getElementById("said");
document.addEventListener("htmx:before:request", ({ detail }) => {
  if (["click", "submit"].includes(detail.ctx.sourceEvent?.type)) said.textContent = "";
});
document.addEventListener("htmx:response:error", ({ detail }) => {
  if (detail.ctx.response.status === 401) location.assign("/portal/sign-in");
  said.textContent = `${said.dataset.failed}: ${parsed(detail.ctx.text)}`;
});
document.addEventListener("htmx:error", () => (said.textContent = said.dataset.unreachable));

function parsed(text) {
  try {
    return reason(JSON.parse(text));
  } catch {
    return text.slice(0, 200);
  }
}

const quote = document.getElementById("quote");
if (quote) {
  quote.scrollIntoView({ block: "center" });
  quote.focus({ preventScroll: true });
}
