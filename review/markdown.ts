import { oneLine } from "../nomad/one-line";
import type { FieldChange } from "./diff";
import type { Review, ServiceReview } from "./review";
import {
  countsLine,
  DRIFT,
  driftText,
  findingText,
  label,
  lineChange,
  paragraph,
  plural,
  resourceText,
  shortChange,
  sourceLine,
  stateText,
  unusedText,
  verdictLine,
} from "./words";

/** The most characters that GitHub takes for a comment. */
export const LIMIT = 65_536;

/** Room for the line that says what was cut. */
const RESERVE = 600;

/** A piece of the text. What is important is cut last; of equals the last one is cut first. */
interface Piece {
  readonly text: string;
  readonly weight: number;
  /** What it is called when it is cut. */
  readonly kind: string;
}

/** A hidden line by which the same comment is found again. */
export function marker(stack: string): string {
  return `<!-- homelab-review ${stack.replaceAll(/[^\w.-]/g, "_")} -->`;
}

/**
 * The review as a comment for a pull request.
 *
 * @param limit the most characters; what is over is cut from the least important end, and said.
 */
export function markdown(review: Review, { stack = "homelab", limit = LIMIT } = {}): string {
  const sign = { safe: "✅", "needs acknowledgement": "⚠️", refused: "⛔" }[review.verdict];
  const [word = "", ...rest] = verdictLine(review).split(/(?=[:;]| of )/);
  const pieces: Piece[] = [
    piece(9, "verdict", `## ${sign} **${plain(word)}**${plain(rest.join(""))}`),
    piece(8, "counts", [countsLine(review), sourceLine(review)].filter(Boolean).join(". ")),
    ...findings(review),
    ...drift(review),
    ...review.services.flatMap(service),
    ...resources(review),
    ...state(review),
    ...review.unusedAllowances.map((one) => piece(5, "unused acknowledgement", plain(unusedText(one)))),
  ];
  return `${fitted(pieces, limit - marker(stack).length - 2)}\n\n${marker(stack)}\n`;
}

function piece(weight: number, kind: string, text: string): Piece {
  return { weight, kind, text };
}

function fitted(pieces: readonly Piece[], limit: number): string {
  const size = (kept: readonly Piece[]) => kept.reduce((sum, { text }) => sum + text.length + 2, 0);
  if (size(pieces) <= limit) return pieces.map(({ text }) => text).join("\n\n");
  const order = pieces.map((_, at) => at).sort((a, b) => (pieces[b]?.weight ?? 0) - (pieces[a]?.weight ?? 0) || a - b);
  const kept = new Set<number>();
  const cut = new Map<string, number>();
  let room = limit - RESERVE;
  let full = 0;
  for (const at of order) {
    const { text, weight, kind } = pieces[at] as Piece;
    // Once something of a weight is left out, nothing lighter comes in its place.
    if (text.length + 2 <= room && weight >= full) {
      kept.add(at);
      room -= text.length + 2;
    } else {
      full = Math.max(full, weight);
      cut.set(kind, (cut.get(kind) ?? 0) + 1);
    }
  }
  const said = [...cut].map(([kind, count]) => `${kind} (${count})`).join(", ");
  return [
    ...pieces.filter((_, at) => kept.has(at)).map(({ text }) => text),
    `**Cut, because a comment has at most ${LIMIT} characters:** ${said}. \`homelab review\` on the same plan shows all.`,
  ].join("\n\n");
}

function findings({ findings }: Review): Piece[] {
  const [open, accepted] = [
    findings.filter(({ allowed }) => allowed === undefined),
    findings.filter(({ allowed }) => allowed !== undefined),
  ];
  const line = (finding: (typeof findings)[number], sign: string) => {
    const { what, advice, command } = findingText(finding);
    return `- ${sign} **${finding.finding}**: ${plain(what)}  \n  ${plain(advice)}${command ? ` ${code(command)}` : ""}`;
  };
  return [
    ...(open.length > 0 ? [piece(9, "heading", "### Look at this first")] : []),
    ...open.map((one) => piece(one.exit === 3 ? 8 : 7, "finding", line(one, one.exit === 3 ? "⛔" : "⚠️"))),
    ...(accepted.length > 0 ? [piece(6, "heading", "### Accepted")] : []),
    ...accepted.map((one) => piece(6, "accepted finding", line(one, "☑️"))),
  ];
}

function service(one: ServiceReview): Piece[] {
  const { job, address, fields, json, action } = one;
  const texts = [`### ${plain(job)} — ${code(address)}\n\n${paragraph(one).map(plain).join(" ")}`];
  const short = fields.flatMap((field) => {
    const change = shortChange(field);
    return change ? [`| ${plain(label(field.field))} | ${codeCell(change.old)} | ${codeCell(change.new)} |`] : [];
  });
  const long = fields.filter((field) => !shortChange(field));
  const pieces = [piece(5, "service", texts.join(""))];
  if (short.length > 0)
    pieces.push(piece(4, "table", ["| what | old | new |", "| --- | --- | --- |", ...short].join("\n")));
  for (const field of long) pieces.push(piece(3, "text that changes", block(field)));
  if (json && action !== "create") pieces.push(piece(1, "job JSON", details("the job's JSON", "json", json)));
  if (json && action === "create") pieces.push(piece(0, "job JSON", details("the job's JSON", "json", json)));
  return pieces;
}

function block(field: FieldChange): string {
  return `${plain(label(field.field))}:\n\n${fence("diff", lineChange(field).join("\n"))}`;
}

function resources({ resources }: Review): Piece[] {
  if (resources.length === 0) return [];
  const [known, others] = [resources.filter(({ name }) => name), resources.filter(({ name }) => !name)];
  const line = (one: (typeof resources)[number]) => {
    const fields = one.name ? one.fields : [];
    const changes = fields.map((field) => {
      const change = shortChange(field);
      return change
        ? `${plain(field.field)} ${code(change.old)} → ${code(change.new)}`
        : `${plain(field.field)} changes`;
    });
    const name = one.name ? plain(one.name) : code(one.address);
    return `- ${name} ${resourceText(one)}${changes.length > 0 ? `: ${changes.join("; ")}` : ""}`;
  };
  const heading = (text: string) => piece(4, "heading", text);
  return [
    ...(known.length > 0
      ? [heading("### Volumes, namespace, scheduler"), ...chunks(known.map(line), 4, "resource")]
      : []),
    ...(others.length > 0
      ? [
          heading(`### ${plural(others.length, "resource")} of a kind that is not judged here`),
          ...chunks(others.map(line), 2, "resource that is not judged"),
        ]
      : []),
  ];
}

/** A list in pieces, so that a long one can be cut. */
function chunks(lines: readonly string[], weight: number, kind: string): Piece[] {
  const size = 20;
  return Array.from({ length: Math.ceil(lines.length / size) }, (_, at) =>
    piece(weight, kind, lines.slice(at * size, (at + 1) * size).join("\n")),
  );
}

function drift({ drift }: Review): Piece[] {
  if (drift.length === 0) return [];
  const line = (one: (typeof drift)[number]) =>
    `- ${one.name ? plain(one.name) : code(one.address)} ${plain(driftText(one))}`;
  return [piece(6, "heading", `### ${DRIFT}`), ...chunks(drift.map(line), 5, "change made outside of Terraform")];
}

function state({ state }: Review): Piece[] {
  if (state.length === 0) return [];
  return [
    piece(4, "heading", "### Terraform's state"),
    ...chunks(
      state.map((note) => `- ${plain(stateText(note))}`),
      4,
      "note on the state",
    ),
  ];
}

function details(summary: string, language: string, content: string): string {
  return `<details><summary>${summary}</summary>\n\n${fence(language, content)}\n\n</details>`;
}

/** A fence that nothing in the content can close. */
function fence(language: string, content: string): string {
  const longest = Math.max(2, ...[...content.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  return `${ticks}${language}\n${content}\n${ticks}`;
}

/** Text as it stands: no markup, no HTML, nobody is called by an @. */
function plain(text: string): string {
  return oneLine(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(/[\\`*_[\]#|~]/g, (sign) => (sign === "_" ? sign : `\\${sign}`))
    .replaceAll("_", "\\_")
    .replaceAll("@", "@\u200b");
}

function code(text: string): string {
  const line = oneLine(text);
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  const pad = line.startsWith("`") || line.endsWith("`") || line === "" ? " " : "";
  return `${ticks}${pad}${line}${pad}${ticks}`;
}

/** GitHub takes a | for the end of a cell even inside of code. */
function codeCell(text: string): string {
  return code(text).replaceAll("|", "\\|");
}
