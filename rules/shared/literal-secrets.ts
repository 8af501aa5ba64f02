import type { Template } from "../../.gen/nomad/job";
import { replaceActions } from "../../nomad/template-calls";

/** Stands in a text for whatever is filled in on the machine. */
const FILLED_IN = "\0";

/** Words that a name ends in when its value is a secret; `dbpassword` counts, `dnsseed` does not. */
const SECRET_ENDING = /(?:password|passwd|passphrase|secret|token|mnemonic|macaroon|rpcauth)$/;
const SECRET_WORD = /^(?:auth|authorization|pass|pwd?|private|seed|creds?|credentials?|unlock)$/;
const SECRET_PAIR = /(?:api|private|secret|access|encryption|signing)key/;

/** A name that ends so speaks of a secret without being one. */
const ABOUT_A_SECRET = /^(?:file|path|dir|name|length|ttl|type|mode|enabled|user|username|host|port)$/;

/** Names of numbers that everybody may know, and that look like a key. A name that also speaks of a secret still counts. */
const PUBLIC_NUMBER =
  /(?:signetchallenge|txid|hash|sha(?:256|512)|checksum|digest|fingerprint|pub(?:lic)?key|assumevalid|minimumchainwork)s?$/;

/** Values that are no secret whatever their name. */
const HARMLESS = /^(?:true|false|yes|no|on|off|none|null|0|1)?$/i;
const PATH = /^(?:\/?(?:secrets|local|alloc|run\/secrets)|\$\{NOMAD_\w+_DIR\}|\0)\/[\w./-]+$/;

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
}

function isPublicNumber(name: string): boolean {
  return PUBLIC_NUMBER.test(wordsOf(name).join(""));
}

/** The same few names are asked for with every text of every job. */
const SECRET_NAMES = new Map<string, boolean>();

function isSecretName(name: string): boolean {
  const known = SECRET_NAMES.get(name) ?? speaksOfSecret(name);
  SECRET_NAMES.set(name, known);
  return known;
}

function speaksOfSecret(name: string): boolean {
  const words = wordsOf(name);
  if (ABOUT_A_SECRET.test(words.at(-1) ?? "")) return false;
  return words.some((word) => SECRET_ENDING.test(word) || SECRET_WORD.test(word)) || SECRET_PAIR.test(words.join(""));
}

/** Whether a value says anything itself. A user's name before the secret, or a scheme such as Bearer, is no secret. */
function isLiteral(value: string): boolean {
  const bare = value.trim().replace(/^(["'])(.*)\1$/, "$2");
  if (HARMLESS.test(bare) || PATH.test(bare)) return false;
  return !bare.includes(FILLED_IN) || /[a-z0-9]/i.test(bare.replace(/^(?:(?:bearer|basic) +|[\w.-]+:)/i, ""));
}

const VALUE = `"[^"\\n]*"|'[^'\\n]*'|[^\\s;&"'\`]+`;
const NAME = "([A-Za-z][\\w.-]*)";

/** `name=value`; `name = value`, `name: value` on a line of its own or quoted; `--name value`. */
const ASSIGNMENTS = [
  new RegExp(`(?<![\\w$.-])-{0,2}${NAME}=(${VALUE})`, "g"),
  new RegExp(`(?:^|["'{,])[ \\t]*(?:- +|export +)?["']?${NAME}["']?[ \\t]*(?:[:=] +| +=)(${VALUE}.*)$`, "gm"),
  new RegExp(`["']${NAME}["'] *: *("[^"\\n]*"|'[^'\\n]*')`, "g"),
  new RegExp(`(?<!\\S)--?${NAME} +(?!-)(${VALUE})`, "g"),
];

/** Things that are a secret by their form. */
const FORMS: readonly [string, RegExp][] = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ["an extended private key", /\b[tuvxyz]prv[1-9A-HJ-NP-Za-km-z]{50,}/],
  ["a private key of a wallet", /\b(?:[5KL][1-9A-HJ-NP-Za-km-z]{50,51}|nsec1[02-9ac-hj-np-z]{58})\b/],
  ["a signed token (JWT)", /\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/],
  // Not digests, block hashes (they begin with zeros), or public keys of Lightning nodes (66 digits).
  ["a key in hex", /(?<![0-9a-f]|sha(?:256|512)[:-])(?!0{8}|0[23][0-9a-f]{64}(?![0-9a-f]))[0-9a-f]{64,}/i],
];

/** Too short for a key, without the dots of a token or what separates a name from its value: only a secret's name tells. */
const PLAIN = /^[\w/-]{0,50}$/;

const HEX_OF_A_NAME = new RegExp(`${NAME}["']?[ \\t]*[:= ][ \\t]*["']?[0-9a-f]{64,}`, "gi");

const URL_PASSWORD = /(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/[^\s:@/]*:([^\s@/]+)@/gi;

/** Where a text comes from decides what is filled in on the machine. */
export interface TextKind {
  /** Set for the text of a template. */
  readonly template?: Template;
  /** Whether a shell may read it: `$name` and `$(command)` are filled in too. */
  readonly shell: boolean;
}

/**
 * The secrets that stand in a text of a job as they are, each as its name and a mask: never the secret itself.
 *
 * @param name the key under which the text stands, such as an environment variable's.
 */
export function literalSecrets(name: string, text: string, kind: TextKind): string[] {
  const isPlain = !kind.template && PLAIN.test(text);
  const filled = isPlain ? text : fillIn(text, kind);
  const whole = isSecretName(name) && isLiteral(filled) ? [`${name}=(hidden)`] : [];
  if (isPlain) return whole;
  const named = ASSIGNMENTS.flatMap((assignment) => [...filled.matchAll(assignment)])
    .filter(([, key = "", value = ""]) => isSecretName(key) && isLiteral(value))
    .map(([, key]) => `${key}=(hidden)`);
  const urls = [...filled.matchAll(URL_PASSWORD)]
    .filter(([, password = ""]) => isLiteral(password))
    .map(() => "a password in a URL (hidden)");
  const unexplained = () => text.replace(HEX_OF_A_NAME, (whole, key: string) => (isPublicNumber(key) ? key : whole));
  const isNumber = () => isPublicNumber(name) && /^[0-9a-f]+$/i.test(text.trim());
  const forms = FORMS.filter(([, form]) => form.test(text) && form.test(unexplained()) && !isNumber()).map(
    ([what]) => `${what} (hidden)`,
  );
  return [...new Set([...whole, ...named, ...urls, ...forms])];
}

function fillIn(text: string, { template, shell }: TextKind): string {
  const rendered = template ? replaceActions(text, template, rendering) : text;
  // A default inside of ${…} is a literal.
  const expanded = rendered.replace(/\$\{[^{}:]*(?::[^-={}][^{}]*)?\}/g, FILLED_IN);
  return shell ? expanded.replace(/\$\([^()]*\)|\$(?:[A-Za-z_]+|\d)\b/g, FILLED_IN) : expanded;
}

const CONTROL = /^(?:if|else|end|with|range|define|block|template|break|continue)\b|^\/\*/;
const ONLY_STRINGS =
  /^(?:\s|[|(),\d]|\b(?:printf?|println|base64Decode|trimSpace|toLower|toUpper|envOrDefault|keyOrDefault)\b)*$/;

/** What a template's action stands for: a new piece of text, strings written out in it, or something filled in. */
function rendering(action: string): string {
  const code = action.trim();
  if (CONTROL.test(code)) return "\n";
  const [, variable, expression] = /^\$(\w+)\s*:?=\s*(.*)$/s.exec(code) ?? [];
  const value = expression ?? code;
  const strings = value.match(/"(?:\\.|[^"\\])*"|`[^`]*`/g) ?? [];
  const isWrittenOut =
    strings.length > 0 && ONLY_STRINGS.test(strings.reduce((rest, one) => rest.replace(one, ""), value));
  const result = isWrittenOut ? strings.map((one) => one.slice(1, -1)).join("") : FILLED_IN;
  return variable ? `\n${variable}="${result}"\n` : result;
}
