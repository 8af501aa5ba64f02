import { literalSecrets } from "./literal-secrets";
import { all, HEX, secretForms } from "./secret-forms";
import { isSecretName } from "./secret-names";

/** Stands for a piece of a text that looks like a secret. */
export const SCRUBBED = "(hidden)";

/** `name=value`, `name: value`, `"name": "value"`; the value is a word or quoted. */
const NAMED =
  /(?<![\w.-])([A-Za-z][\w.-]{0,80})(["']?[ \t]{0,3}[=:][ \t]{0,3})("[^"\n]{1,2000}"|'[^'\n]{1,2000}'|(?:(?:Bearer|Basic) )?[^\s"',;]{1,2000})/g;

/** A text that others wrote, such as an error of a program, without what looks like a secret; the rest stays readable. */
export function scrub(text: string): string {
  const found = [...secretForms(text), ...all(text, HEX, "")].sort((a, b) => a.start - b.start);
  const parts: string[] = [];
  let at = 0;
  for (const { start, end } of found) {
    if (start > at) parts.push(text.slice(at, start));
    if (end > at) parts.push(SCRUBBED);
    at = Math.max(at, end);
  }
  return [...parts, text.slice(at)]
    .join("")
    .replace(NAMED, (whole, name: string, sign: string, value: string) =>
      isSecretName(name) && literalSecrets(name, value, { shell: false }).length > 0
        ? `${name}${sign}${SCRUBBED}`
        : whole,
    );
}

/** The same of every text in a value, keys and numbers as they are. */
export function scrubbed<T>(value: T): T {
  if (typeof value === "string") return scrub(value) as T;
  if (Array.isArray(value)) return value.map(scrubbed) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, scrubbed(member)])) as T;
}
