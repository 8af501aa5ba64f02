import type { Template } from "../.gen/nomad/job";

type Delimiters = Pick<Template, "LeftDelim" | "RightDelim">;

/** An action of a template: where it begins and ends with its delimiters, and what stands between them. */
export interface TemplateAction {
  readonly start: number;
  readonly end: number;
  readonly code: string;
}

/**
 * Every action of a text, from delimiter to delimiter. Comments, strings and quoted characters may hold the closing one.
 * Nomad refuses a template with an action that is never closed; what comes after it is taken for text. The time it takes
 * grows with the length of the text and no faster, whoever wrote it.
 *
 * @see https://pkg.go.dev/text/template
 */
export function actionsIn(text: string, { LeftDelim, RightDelim }: Delimiters): TemplateAction[] {
  const [left, right] = [LeftDelim || "{{", RightDelim || "}}"];
  const actions: TemplateAction[] = [];
  for (let start = text.indexOf(left); start >= 0; ) {
    const close = closing(text, start + left.length, right);
    if (close < 0) return actions;
    const end = close + right.length;
    const code = text.slice(start + left.length, close).replace(/^-(?=\s)|(?<=\s)-$/g, "");
    actions.push({ start, end, code });
    start = text.indexOf(left, end);
  }
  return actions;
}

/** The place of the closing delimiter; -1 when there is none. */
function closing(text: string, from: number, right: string): number {
  for (let at = from; at < text.length; ) {
    if (text.startsWith(right, at)) return at;
    const sign = text[at];
    if (text.startsWith("/*", at)) {
      const end = text.indexOf("*/", at + 2);
      if (end < 0) return -1;
      at = end + 2;
    } else if (sign === "`") {
      const end = text.indexOf("`", at + 1);
      if (end < 0) return -1;
      at = end + 1;
    } else if (sign === '"' || sign === "'") {
      at = afterQuoted(text, at, sign);
      if (at < 0) return -1;
    } else at++;
  }
  return -1;
}

/** The place after a string or a quoted character; -1 when it is never closed in its line. */
function afterQuoted(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === quote) return at + 1;
  }
  return -1;
}

/** A text in which each action is replaced. */
export function replaceActions(text: string, delimiters: Delimiters, replace: (code: string) => string): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, code } of actionsIn(text, delimiters)) {
    parts.push(text.slice(at, start), replace(code));
    at = end;
  }
  return parts.join("") + text.slice(at);
}

/** The names of all functions and keywords that the actions of a template call. */
export function functionsIn(template: Template): string[] {
  const actions = actionsIn(template.EmbeddedTmpl ?? "", template);
  return actions.flatMap(({ code }) => (code.match(TOKEN) ?? []).filter((token) => /^[A-Za-z_]\w*$/.test(token)));
}

/** A call of a template function. */
export interface TemplateCall {
  readonly name: string;
  /** Its last argument, when that is a plain string; undefined when it is computed or missing. */
  readonly argument: string | undefined;
  /** Its arguments as they are written, in pieces, without what comes through a pipe. */
  readonly tokens: readonly string[];
}

const TOKEN = /\/\*.*?\*\/|"(?:\\.|[^"\\])*"|`[^`]*`|[A-Za-z_.$][\w.$]*|\S/gs;

/** The calls of some functions in a template, wherever in an action they stand: those named, or those that match. */
export function callsOf(template: Template, functions: readonly string[] | RegExp): TemplateCall[] {
  const text = template.EmbeddedTmpl ?? "";
  if (!(functions instanceof RegExp) && !functions.some((name) => text.includes(name))) return [];
  const isWanted = (name: string) => (functions instanceof RegExp ? functions.test(name) : functions.includes(name));
  return actionsIn(text, template).flatMap(({ code }) => {
    const tokens = code.match(TOKEN) ?? [];
    return tokens.flatMap((name, at) => {
      if (!isWanted(name)) return [];
      const given = argumentsIn(tokens.slice(at + 1));
      // What comes through a pipe is the last argument, and is computed.
      return [{ name, argument: tokens[at - 1] === "|" ? undefined : plainString(given.at(-1)), tokens: given }];
    });
  });
}

/** What belongs to a call, of the tokens after its name. A closing bracket or a pipe ends it. */
function argumentsIn(tokens: readonly string[]): readonly string[] {
  let depth = 0;
  const end = tokens.findIndex((token) => {
    if (depth === 0 && (token === ")" || token === "|")) return true;
    if (token === "(") depth++;
    if (token === ")") depth--;
    return false;
  });
  return end < 0 ? tokens : tokens.slice(0, end);
}

function plainString(token = ""): string | undefined {
  return /^["`]/.test(token) ? token.slice(1, -1) : undefined;
}
