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
}

const TOKEN = /\/\*.*?\*\/|"(?:\\.|[^"\\])*"|`[^`]*`|[A-Za-z_.$][\w.$]*|\S/gs;

/** The calls of some functions in a template, wherever in an action they stand. */
export function callsOf(template: Template, functions: readonly string[]): TemplateCall[] {
  return [...(template.EmbeddedTmpl ?? "").matchAll(actionPattern(template))].flatMap(([, action = ""]) => {
    const tokens = action.match(TOKEN) ?? [];
    return tokens.flatMap((name, at) => {
      if (!functions.includes(name)) return [];
      // What comes through a pipe is the argument, and is computed.
      return [{ name, argument: tokens[at - 1] === "|" ? undefined : lastArgument(tokens.slice(at + 1)) }];
    });
  });
}

/** The last argument of a call, if it is a string. A closing bracket or a pipe ends the call. */
function lastArgument(tokens: readonly string[]): string | undefined {
  let depth = 0;
  let last = "";
  for (const token of tokens) {
    if (depth === 0 && (token === ")" || token === "|")) break;
    if (token === "(") depth++;
    if (token === ")") depth--;
    last = token;
  }
  return /^["`]/.test(last) ? last.slice(1, -1) : undefined;
}
