// What an error of the service says: in the reader's language where the page has words for it (see base.html).
const { limited, busy } = document.getElementById("said").dataset;

// problem: the body of the error, or nothing.
export function reason(problem) {
  const text = { rate_limit_exceeded: limited, overloaded: busy }[problem?.error?.code];
  return text?.replace("{s}", problem.retry_after_s) ?? problem?.detail;
}
