// The Server-Sent Events of a response, as pairs of name and data.
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
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
