// Times in the reader's zone, money in the configured currency, and the cited passage in view.
const { currency, language } = document.body.dataset;

export const money = (value) => new Intl.NumberFormat(language, { style: "currency", currency, maximumFractionDigits: 4 }).format(value);
export const time = (iso) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

for (const element of document.querySelectorAll("data.money")) element.textContent = money(Number(element.value));
const quote = document.getElementById("quote");
if (quote) {
  quote.scrollIntoView({ block: "center" });
  quote.focus({ preventScroll: true });
}
