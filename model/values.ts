/** What a Terraform resource has by its arguments. */
export type Values = Readonly<Record<string, unknown>>;

/** Stands for a value that Terraform knows only after the apply. */
export const UNKNOWN = "(known after apply)";

/** Stands for a value that Terraform marks as sensitive. */
export const SENSITIVE = "(sensitive)";

/** A text that is known; of what is masked, unknown or no text nothing can be said. */
export function known(value: unknown): string | undefined {
  return typeof value === "string" && value !== SENSITIVE && value !== UNKNOWN ? value : undefined;
}
