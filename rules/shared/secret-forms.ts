import { PATTERNS } from "./secret-patterns";
import { SEED_WORDS } from "./seed-words";

/** Something that is a secret by its form, and where it stands in a text. */
export interface Found {
  readonly start: number;
  readonly end: number;
  /** Its kind; never itself. */
  readonly what: string;
}

/**
 * Secrets by their form. Every repetition ends at a fixed length or at a sign that no other part takes, and none begins
 * in the middle of another, so that the time it takes grows no faster than the text.
 */
const FORMS: readonly [string, RegExp][] = [
  ["a private key", /-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d/g],
  ["an extended private key", /(?<![A-Za-z0-9])[tuvxyzUVYZ]prv[1-9A-HJ-NP-Za-km-z]{50,120}/g],
  [
    "a private key of a wallet",
    /(?<![A-Za-z0-9])(?:[59KLc][1-9A-HJ-NP-Za-km-z]{50,51}|6P[1-9A-HJ-NP-Za-km-z]{56}|(?:nsec1|ncryptsec1)[02-9ac-hj-np-z]{40,200})(?![A-Za-z0-9])/g,
  ],
  ["a connection to a wallet (NWC)", /nostr(?:\+|%2B)?walletconnect(?::|%3A)[^\s"'`]{0,2000}/gi],
  ["a macaroon", /(?<![0-9A-Fa-f])0201[0-9A-Fa-f]{40,}|(?<![\w+/-])(?:AgE|MDAx)[\w+/-]{40,}={0,2}/g],
  ["ecash", /(?<![\w-])cashu[AB][\w-]{40,}={0,2}/g],
  ["a key of age", /AGE-SECRET-KEY-1[A-Z0-9]{20,80}|AGE-PLUGIN-[A-Z0-9]{1,30}-1[A-Z0-9]{20,200}/gi],
  ["a signed token (JWT)", /(?<![\w-])eyJ[\w-]{2,}\.eyJ[\w-]{2,}\.[\w-]+/g],
  ["a password's hash", /\${1,2}(?:2[abxy]|apr1|[156]|y|argon2(?:id?|d))\${1,2}[^\s"'`:]{20,400}/g],
  ["a token", /(?<![\w-])(?:Bearer|Basic)\s{1,3}(?!eyJ)[\w.~+/-]{12,}={0,2}/gi],
];

/** Not digests, block hashes (they begin with zeros), or public keys of Lightning nodes (66 digits). */
export const HEX = /(?<![0-9a-f]|sha(?:256|512)[:-])(?!0{8}|0[23][0-9a-f]{64}(?![0-9a-f]))[0-9a-f]{64,}/gi;

/** All that is a secret by its form, whatever its name: keys and tokens, words of a seed, passwords in a URL. */
export function secretForms(text: string): Found[] {
  return [...FORMS.flatMap(([what, form]) => all(text, form, what)), ...patterns(text), ...seeds(text), ...urls(text)];
}

export function all(text: string, form: RegExp, what: string): Found[] {
  return [...text.matchAll(form)].map(({ 0: found, index }) => ({ start: index, end: index + found.length, what }));
}

const KEYWORDS = new RegExp(
  [...new Set(PATTERNS.flatMap(([, keywords]) => keywords))]
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("|"),
);

/** Most texts hold none of the words that one of the forms has. */
function patterns(text: string): Found[] {
  const low = text.toLowerCase();
  if (!KEYWORDS.test(low)) return [];
  return PATTERNS.filter(([, keywords]) => keywords.some((word) => low.includes(word))).flatMap(([what, , form]) =>
    all(text, new RegExp(form.source, `${form.flags}g`), `a token (${what})`),
  );
}

/** So many words of the list in a row are a seed: 12 to 24. */
const SEED = 12;

function seeds(text: string): Found[] {
  const found: Found[] = [];
  let row: { start: number; end: number; count: number } | undefined;
  const end = () => {
    if (row && row.count >= SEED) found.push({ start: row.start, end: row.end, what: "the words of a wallet's seed" });
    row = undefined;
  };
  for (const { 0: word, index } of text.matchAll(/[A-Za-z]{3,8}(?![A-Za-z])/g)) {
    // Numbers and signs may stand between them, but no other word, and no sign of a program: it is made of such words too.
    const between = row ? text.slice(row.end, index) : "";
    if (row && (between.length > 12 || /[A-Za-z{}()|&<>=$]/.test(between.replace(/\\[nrt]/g, " ")))) end();
    if (!SEED_WORDS.has(word.toLowerCase())) end();
    else row = { start: row?.start ?? index, end: index + word.length, count: (row?.count ?? 0) + 1 };
  }
  end();
  return found;
}

/** A URL is no longer than this. */
const URL_LENGTH = 2000;

/** Schemes whose user name is no host, and after which no port comes before the @. */
const DATABASES =
  /^(?:postgres(?:ql)?|pg|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|ldaps?|smtps?|sqlserver|mssql|nats|mqtts?)$/i;

/** Passwords and tokens before the @ of a URL, in whatever spelling: with a slash, a # or a space in it, or encoded. */
function urls(text: string): Found[] {
  const found: Found[] = [];
  let last = 0;
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", at + 3)) {
    const [scheme = ""] = /[a-z][a-z0-9+.-]{0,20}$/i.exec(text.slice(Math.max(last, at - 24), at)) ?? [];
    last = at + 3;
    const next = text.indexOf("://", last);
    const limit = Math.min(last + URL_LENGTH, next < 0 ? text.length : next);
    const what = credentials(scheme, text.slice(last, limit));
    if (what) found.push({ start: at - scheme.length, end: last + what.length, what: what.what });
  }
  return [...found, ...SCHEMELESS.flatMap((form) => all(text, form, "a password in a URL")).filter(isLiteralAt(text))];
}

/** MySQL's `user:password@tcp(host)`, and `user:password@host:port`. A digest after the @ is an image's. */
const SCHEMELESS: readonly RegExp[] = [
  /(?<![\w.@:/-])[\w.-]{1,60}:[^\s@/"'`]{1,200}@(?:tcp|unix)\(/g,
  /(?<![\w.@:/-])[\w.-]{1,60}:[^\s@:/"'`]{6,200}@(?!sha\d)[\w-]{1,60}(?:\.[\w-]{1,60}){0,6}:\d{2,5}\b/g,
  /(?<=^|["'\s=])\/\/[^\s:@/]{1,60}:[^\s@/"'`]{1,200}@/g,
];

function isLiteralAt(text: string) {
  return ({ start, end }: Found) =>
    !isFilledIn(
      text
        .slice(start, end)
        .replace(/@.*$/s, "")
        .replace(/^[^:]*:/, ""),
    );
}

/** Stands in a text for whatever is filled in on the machine. */
export const FILLED_IN = "\0";

function isFilledIn(password: string): boolean {
  return password.includes(FILLED_IN) && !/[a-z0-9]/i.test(password);
}

/** What stands before the @ of a URL, and how far it goes; undefined when it is no secret. */
function credentials(scheme: string, rest: string): { readonly length: number; readonly what: string } | undefined {
  const [line = ""] = rest.split(/["'`\n<>]/, 1);
  const [segment = ""] = line.split(/\s/, 1);
  // A password with a space ends no URL of a database, where an @ comes after it.
  const whole = !segment.includes("@") && DATABASES.test(scheme) ? line : segment;
  const end = whole.lastIndexOf("@");
  if (end < 0 || whole.startsWith("sha", end + 1)) return undefined;
  const before = whole.slice(0, end);
  const colon = before.indexOf(":");
  const what = "a password in a URL";
  if (colon < 0) {
    const isToken = /^[\w~+=-]{20,}$/.test(before) && /\d/.test(before);
    return isToken ? { length: end + 1, what: "a token in a URL" } : undefined;
  }
  const [user, password] = [before.slice(0, colon), before.slice(colon + 1)];
  if (password === "" || /[/?#]/.test(user) || isFilledIn(password)) return undefined;
  // `http://example.org:8080/a@b` has a port and a path.
  if (/^\d{1,5}[/?#]/.test(password) && !DATABASES.test(scheme)) return undefined;
  return { length: end + 1, what };
}
