/** A text in one line: each line break, with the space around it, becomes one space. It takes time by its length alone. */
export function oneLine(text: string): string {
  const [first = "", ...rest] = text.split("\n");
  if (rest.length === 0) return text;
  const last = rest.pop() ?? "";
  return [first.trimEnd(), ...rest.map((line) => line.trim()).filter(Boolean), last.trimStart()].join(" ");
}
