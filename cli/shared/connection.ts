import { scrub } from "../../rules/shared/scrub";

type Environment = Readonly<Record<string, string | undefined>>;

/** As Go reads a URL: whatever else stands in it ends in an error that quotes it whole. */
const URL_FORM =
  /^postgres(?:ql)?:\/\/(?:(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*(?::(?:[\w.~!$&'()*+,;=:@-]|%[0-9a-f]{2})*)?@)?(?:[\w.,-]|:\d{1,5}(?=[,/?]|$)|\[[0-9a-f:.]+\])*(?:\/[\w.~-]*)?(?:\?[\w.~%&=/+:,-]*)?$/i;

/** `host=… password='…'`, as libpq has it too. */
const PAIRS = /^\s*\w+\s*=\s*(?:'(?:[^'\\]|\\.)*'|[^\s'\\]+)(?:\s+\w+\s*=\s*(?:'(?:[^'\\]|\\.)*'|[^\s'\\]+))*\s*$/;

/** A connection string is no longer. */
const LONGEST = 2000;

/**
 * Refuses what Terraform cannot read as the connection string of its state: it would print it, password and all.
 *
 * @throws without the string.
 */
export function assertReadable({ PG_CONN_STR: text }: Environment): void {
  if (!text || (text.length <= LONGEST && (URL_FORM.test(text) || PAIRS.test(text)))) return;
  throw new Error(
    "PG_CONN_STR cannot be read as a connection string, and Terraform would print it with its password: write each sign of " +
      "the password that is no letter or digit with a percent sign (% is %25, / is %2F, # is %23, a space is %20)",
  );
}

/** What Terraform printed, without the connection string, its password in any spelling, and what else looks like a secret. */
export function withoutConnection(text: string, { PG_CONN_STR, PGPASSWORD }: Environment): string {
  const spellings = [...(PG_CONN_STR ? [PG_CONN_STR, ...passwordsOf(PG_CONN_STR)] : []), PGPASSWORD ?? ""]
    .flatMap((one) => [one, decoded(one), encodeURIComponent(one), JSON.stringify(one).slice(1, -1)])
    .filter((one) => one.length > 2)
    .sort((a, b) => b.length - a.length);
  return scrub(spellings.reduce((rest, one) => rest.replaceAll(one, "(hidden)"), text));
}

function passwordsOf(connection: string): string[] {
  const inUrl = /^[^:]*:\/\/[^:@]*:(.*)@/s.exec(connection)?.[1];
  const inPairs = /\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))/i.exec(connection);
  const query = /[?&]password=([^&]*)/i.exec(connection)?.[1];
  return [inUrl, inPairs?.[1] ?? inPairs?.[2], query].filter((one): one is string => one !== undefined);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
