import type { Review } from "./review";
import {
  countsLine,
  DRIFT,
  driftText,
  findingText,
  label,
  lineChange,
  paragraph,
  resourceText,
  shortChange,
  sourceLine,
  stateText,
  unusedText,
  verdictLine,
} from "./words";

/** A text of a review, and how much it matters. */
export interface Line {
  readonly text: string;
  readonly kind: "safe" | "warning" | "danger" | "heading" | "plain" | "dim";
  /** Spaces before it; a text of several screen lines keeps them. */
  readonly indent: number;
}

/** The review for a terminal, line by line; the reader breaks and colours them. */
export function lines(review: Review): Line[] {
  const { findings, services, resources, state, drift, unusedAllowances } = review;
  const kind = ({ safe: "safe", "needs acknowledgement": "warning", refused: "danger" } as const)[review.verdict];
  const line = (text: string, kind: Line["kind"] = "plain", indent = 0): Line => ({ text, kind, indent });
  return [
    line(verdictLine(review), kind),
    line([countsLine(review), sourceLine(review)].filter(Boolean).join(". "), "dim"),
    ...findings.flatMap((finding) => {
      const { what, advice, command } = findingText(finding);
      const weight = finding.allowed !== undefined ? "dim" : finding.exit === 3 ? "danger" : "warning";
      return [
        line(`${finding.finding}: ${what}`, weight, 2),
        line(`${advice}${command ? ` ${command}` : ""}`, "plain", 4),
      ];
    }),
    ...(drift.length > 0 ? [line(DRIFT, "heading")] : []),
    ...drift.map((one) => line(`${one.name ?? one.address} ${driftText(one)}`, "plain", 2)),
    ...services.flatMap((service) => [
      line(`${service.job} (${service.address})`, "heading"),
      line(paragraph(service).join(" "), "plain", 2),
      ...service.fields.flatMap((field) => {
        const short = shortChange(field);
        if (short) return [line(`${label(field.field)}: ${short.old} → ${short.new}`, "plain", 4)];
        return [line(`${label(field.field)}:`, "plain", 4), ...lineChange(field).map((one) => line(one, "dim", 6))];
      }),
    ]),
    ...(resources.length > 0 ? [line("Other resources", "heading")] : []),
    ...resources.map((one) => {
      const changes = (one.name ? one.fields : []).map((field) => {
        const short = shortChange(field);
        return short ? `${field.field} ${short.old} → ${short.new}` : `${field.field} changes`;
      });
      return line(
        `${one.name ?? one.address} ${resourceText(one)}${changes.length > 0 ? `: ${changes.join("; ")}` : ""}`,
        "plain",
        2,
      );
    }),
    ...(state.length > 0 ? [line("Terraform's state", "heading")] : []),
    ...state.map((note) => line(stateText(note), "plain", 2)),
    ...unusedAllowances.map((one) => line(unusedText(one), "dim")),
  ];
}
