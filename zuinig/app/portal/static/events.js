// The Server-Sent Events of a response, as pairs of name and data.
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
      // Not by a pattern: to those, a line also ends at U+2028, which an answer may well hold.
      const lines = text.slice(0, at).split("\n");
      const field = (name) => lines.find((line) => line.startsWith(name))?.slice(name.length);
      const name = field("event: ");
      text = text.slice(at + 2);
      if (name) yield [name, JSON.parse(field("data: "))];
    }
  }
}
