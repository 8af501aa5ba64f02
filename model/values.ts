/** What a Terraform resource has by its arguments. */
export type Values = Readonly<Record<string, unknown>>;

/** Stands for a value that Terraform knows only after the apply. */
export const UNKNOWN = "(known after apply)";

/** Stands for a value that Terraform marks as sensitive. */
export const SENSITIVE = "(sensitive)";

/** A known text; undefined for a masked or unknown value, and for anything but text. */
export function known(value: unknown): string | undefined {
  return typeof value === "string" && value !== SENSITIVE && value !== UNKNOWN ? value : undefined;
}
