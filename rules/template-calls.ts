import type { Template } from "../.gen/nomad/job";

const STRING = /"(?:\\.|[^"\\])*"|`[^`]*`/;
const TOKEN = new RegExp(`${STRING.source}|[A-Za-z_.$][\\w.$]*|\\S`, "g");

/** Matches every action of a template, from delimiter to delimiter; the first group is what stands between them. */
export function actionPattern({ LeftDelim, RightDelim }: Pick<Template, "LeftDelim" | "RightDelim">): RegExp {
  const quote = (delimiter: string) => delimiter.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const end = quote(RightDelim || "}}");
  return new RegExp(`${quote(LeftDelim || "{{")}-?((?:${STRING.source}|(?!${end}).)*?)-?${end}`, "gs");
}

/** A call of a template function. */
export interface TemplateCall {
  readonly name: string;
  /** Its last argument, when that is a plain string; undefined when it is computed or missing. */
  readonly argument: string | undefined;
}

/**
 * The calls of some functions in a template, wherever in an action they stand.
 *
 * @see https://pkg.go.dev/text/template#hdr-Pipelines
 */
export function callsOf(template: Template, functions: readonly string[]): TemplateCall[] {
  return [...(template.EmbeddedTmpl ?? "").matchAll(actionPattern(template))].flatMap(([, action = ""]) => {
    const tokens = action.trimStart().startsWith("/*") ? [] : (action.match(TOKEN) ?? []);
    return tokens.flatMap((name, at) =>
      functions.includes(name)
        ? [{ name, argument: tokens[at - 1] === "|" ? undefined : lastArgument(tokens, at) }]
        : [],
    );
  });
}

/** The last argument of the call at `at`, if it is a string. A closing bracket or a pipe ends the call. */
function lastArgument(tokens: readonly string[], at: number): string | undefined {
  let depth = 0;
  let last: string | undefined;
  for (const token of tokens.slice(at + 1)) {
    if (depth === 0 && (token === ")" || token === "|")) break;
    if (token === "(") depth++;
    if (token === ")") depth--;
    last = token;
  }
  return last && new RegExp(`^(?:${STRING.source})$`).test(last) ? last.slice(1, -1) : undefined;
}
