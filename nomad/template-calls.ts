import type { Template } from "../.gen/nomad/job";

/** What may hold the closing delimiter of its action: a comment, a string, a quoted quote. */
const WHOLE = String.raw`/\*(?:[^*]|\*(?!/))*\*/|"(?:\\.|[^"\\])*"|\`[^\`]*\`|'["\`]'`;

/**
 * Matches every action of a template, from delimiter to delimiter; the first group is what stands between them. An
 * action that is never closed is none, since Nomad refuses it.
 *
 * @see https://pkg.go.dev/text/template
 */
export function actionPattern({ LeftDelim, RightDelim }: Pick<Template, "LeftDelim" | "RightDelim">): RegExp {
  const quote = (delimiter: string) => delimiter.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const end = quote(RightDelim || "}}");
  // The alternatives exclude each other: otherwise an action that is never closed takes for ever.
  const inside = `(?:${WHOLE}|(?!${end}|/\\*|'["\`]')[^"\`])*?`;
  return new RegExp(`${quote(LeftDelim || "{{")}-?(${inside})-?${end}`, "gs");
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
  return [...text.matchAll(actionPattern(template))].flatMap(([, action = ""]) => {
    const tokens = action.match(TOKEN) ?? [];
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
