// Elements are built, never parsed: whatever a document, a name or an answer holds is text.
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export async function call(method, path, body) {
  const response = await fetch(path, { method, body });
  const data = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(data.detail);
  return data;
}
