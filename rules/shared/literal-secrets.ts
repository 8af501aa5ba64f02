import type { Template } from "../../.gen/nomad/job";
import { replaceActions } from "../../nomad/template-calls";
import { all, FILLED_IN, HEX, secretForms } from "./secret-forms";
import { isIdentity, isPublicNumber, isSecretName } from "./secret-names";

/** Values that are no secret whatever their name. */
const HARMLESS =
  /^(?:true|false|yes|no|on|off|none|null|0|1|basic|digest|htpasswd|oidc|oauth2?|ldap|pam|trust|peer|md5|scram-sha-256)?$/i;
const PATH = /^(?:\/?(?:secrets|local|alloc|run\/secrets)|\$\{NOMAD_\w+_DIR\}|\0)\/[\w./-]+$/;

/** Whether a value says anything itself. A user's name before the secret, or a scheme such as Bearer, is no secret. */
function isLiteral(value: string): boolean {
  const bare = value.trim().replace(/^(["'])(.*)\1$/s, "$2");
  if (HARMLESS.test(bare) || PATH.test(bare)) return false;
  return !bare.includes(FILLED_IN) || /[a-z0-9]/i.test(bare.replace(/^(?:(?:bearer|basic) +|[\w.-]+:)/i, ""));
}

// Everything that repeats is bounded: what is longer is no name and no value, and no text makes the search slow.
const VALUE = `"[^"\\n]{0,2000}"|'[^'\\n]{0,2000}'|[^\\s;&"'\`]{1,2000}`;
const NAME = "([A-Za-z][\\w.-]{0,80})";
const SPACE = "[ \\t]{0,20}";

/** `name=value`; `name = value`, `name: value` on a line of its own or quoted; `--name value`. */
const ASSIGNMENTS = [
  new RegExp(`(?<![\\w$.-])-{0,2}${NAME}=(${VALUE})`, "g"),
  new RegExp(
    `(?:^|["'{,])${SPACE}(?:- {1,9}|export {1,9})?["']?${NAME}["']?${SPACE}(?:[:=] {1,20}| {1,20}=)(${VALUE}.{0,2000})$`,
    "gm",
  ),
  new RegExp(`["']${NAME}["'] {0,9}: {0,9}("[^"\\n]{0,2000}"|'[^'\\n]{0,2000}')`, "g"),
  new RegExp(`(?<!\\S)--?${NAME} {1,9}(?!-)(${VALUE})`, "g"),
];

/** A password that a command takes, or that is piped into one. */
const COMMANDS: readonly RegExp[] = [
  /(?<!\S)(?:-u|--user)(?:=|\s{1,3})["']?[\w.@-]{1,60}:([^\s"':]{1,200})/g,
  /\bsshpass\s{1,3}-p\s{0,3}(\S{1,200})/g,
  /\b(?:mysql|mysqldump|mariadb|mysqladmin)\b[^\n|;]{0,200}?\s-p(\S{3,200})/g,
  /\b(?:echo|printf)\s{1,3}(?:-n\s{1,3})?["']?([^\s"'`|]{6,200})["']?\s{0,3}\|\s{0,3}[^\n]{0,80}?(?:login|passw|unlock|stdin|openssl|gpg|cryptsetup|sudo|bitcoin-cli|base64)/g,
];

/** Too short for a key, without the dots of a token or what separates a name from its value: only a secret's name tells. */
const PLAIN = /^(?:[a-z/_.-]{0,50}|[\w./-]{0,11})$/i;

const HEX_OF_A_NAME = new RegExp(`(?<![\\w.])${NAME}["']?[ \\t]{0,9}[:= ][ \\t]{0,9}["']?[0-9a-f]{64,}`, "gi");

/** A text of a job has not as many signs; what has is not looked through. */
const LONGEST = 500_000;

/** Where a text comes from decides what is filled in on the machine. */
export interface TextKind {
  /** Set for the text of a template. */
  readonly template?: Template;
  /** Whether a shell may read it: `$name` and `$(command)` are filled in too. */
  readonly shell: boolean;
  /** Whether it is the owner's own value, such as an environment variable: then a random word is a secret. */
  readonly free?: boolean;
}

/**
 * The secrets that stand in a text of a job as they are, each as its name and a mask: never the secret itself.
 *
 * @param name the key under which the text stands, such as an environment variable's.
 */
export function literalSecrets(name: string, text: string, kind: TextKind): string[] {
  return [...new Set(find(name, text, kind, 0))];
}

/** A secret may be written in base64, in hex or with percent signs, once or twice. */
const DEEPEST = 2;

function find(name: string, text: string, kind: TextKind, depth: number): string[] {
  if (text.length > LONGEST) return ["a text too long to be looked through (hidden)"];
  const isPlain = !kind.template && PLAIN.test(text);
  const filled = isPlain ? text : fillIn(text, kind);
  const whole = isSecretName(name) && isLiteral(filled) ? [`${name}=(hidden)`] : [];
  if (isPlain) return whole;
  // A shell joins `--pass""word`.
  const joined = kind.shell && !kind.template ? filled.replace(/""|''/g, "") : filled;
  const assigned = ASSIGNMENTS.flatMap((assignment) => [...joined.matchAll(assignment)]);
  const named = assigned
    .filter(([, key = "", value = ""]) => isSecretName(key) && isLiteral(value))
    .map(([, key]) => `${key}=(hidden)`);
  const given = COMMANDS.flatMap((command) => [...filled.matchAll(command)])
    .filter(([, value = ""]) => isLiteral(value) && !/^\d{1,6}$/.test(value))
    .map(() => "a password of a command (hidden)");
  // In a list of arguments the flag is the name of what comes after it.
  const [, login] = /^-{1,2}u(?:ser)?$/.test(name) ? (/^[\w.@-]{1,60}:(.{1,200})$/.exec(filled) ?? []) : [];
  if (login && isLiteral(login) && !/^\d{1,6}$/.test(login)) given.push("a password of a command (hidden)");
  const forms = secretForms(filled.replaceAll("\\/", "/")).map(({ what }) => `${what} (hidden)`);
  const unexplained = () => text.replace(HEX_OF_A_NAME, (whole, key: string) => (isPublicNumber(key) ? key : whole));
  const isNumber = isPublicNumber(name) && /^[0-9a-f]+$/i.test(text.trim());
  const isHex = !isNumber && all(text, HEX, "").length > 0 && all(unexplained(), HEX, "").length > 0;
  const hex = isHex && !forms.some((what) => what.startsWith("a macaroon")) ? ["a key in hex (hidden)"] : [];
  const known = [...whole, ...named, ...given, ...forms, ...hex];
  const found = known.length > 0 ? known : shapes(name, filled, kind, assigned);
  return found.length > 0 || depth >= DEEPEST ? found : decoded(name, filled, kind, depth);
}

/** `Hunter2Hunter2`: letters of both cases and digits by turns, as a person or a generator makes a password. */
function looksRandom(word: string): boolean {
  if (!/^[\w+/=~!@#$%^&*.-]{12,200}$/.test(word) || PUBLIC.test(word)) return false;
  const digits = word.match(/\d+/g)?.length ?? 0;
  return (
    digits >= 2 && /[a-z]/.test(word) && /[A-Z]/.test(word) && !/[./@]\w+[./@]|^[\w-]+[./:]|_[A-Z]{2,}_/.test(word)
  );
}

/** Public by nature: addresses, extended public keys, public keys of SSH, content ids, checksums, dates. */
const PUBLIC =
  /^(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|[tuvxyzUVYZ]pub\w+|AAAA[A-Z]\w*.*|Qm\w{44}|sha\d{3}-.*|\d{4}-\d\d-\d\dT.*|v?\d+\.\d+.*)$/;

const UUID = /(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[1-9a-f][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])/gi;

/** Words that look like a password, and UUIDs, which Nomad's tokens are. */
function shapes(name: string, text: string, { free, template }: TextKind, assigned: readonly string[][]): string[] {
  const found: string[] = [];
  if (!isIdentity(name)) {
    const tokens = [...text.matchAll(UUID)].filter(({ index }) => {
      const [, key = ""] =
        /([\w.-]{1,80})["']?\s{0,3}[:=]?\s{0,3}["']?$/.exec(text.slice(Math.max(0, index - 90), index)) ?? [];
      return key === "" ? free || template !== undefined : !isIdentity(key);
    });
    if (tokens.length > 0) found.push("what looks like a token of Nomad (hidden)");
    if (free && text.split(/[\s"'`,;:=()]+/).some(looksRandom)) found.push("what looks like a password (hidden)");
  }
  const values = assigned.filter(([, key = ""]) => !isIdentity(key)).map(([, , value = ""]) => value.trim());
  if (values.some((value) => looksRandom(value.replace(/^(["'])(.*)\1$/, "$2")))) {
    found.push("what looks like a password (hidden)");
  }
  return found;
}

/** So many signs of it are read: what is longer is no password. */
const ENCODED = /(?<![\w+/=-])[A-Za-z0-9+/_-]{12,20000}={0,2}(?![\w+/=-])/g;
const PERCENT = /%(?:3a|2f|40|25)/i;

/** What stands in a text in base64, in hex, or with percent signs. */
function decoded(name: string, text: string, { free = false }: TextKind, depth: number): string[] {
  const kind = { shell: false, free };
  const texts = [...text.matchAll(ENCODED)].flatMap(([word]) => {
    const isHex = word.length % 2 === 0 && /^[0-9a-f]+$/i.test(word);
    return isHex ? [Buffer.from(word, "hex"), Buffer.from(word, "base64")] : [Buffer.from(word, "base64")];
  });
  const readable = texts.map((bytes) => bytes.toString("latin1")).filter((one) => /^[\t\n\r\x20-\x7e]{8,}$/.test(one));
  if (PERCENT.test(text))
    readable.push(text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))));
  return readable
    .flatMap((one) => find(name, one, kind, depth + 1))
    .map((what) => what.replace("(hidden)", "(encoded, hidden)"));
}

function fillIn(text: string, { template, shell }: TextKind): string {
  const literals = new Map<string, string>();
  const rendered = template ? replaceActions(text, template, (code) => rendering(code, literals)) : text;
  // A default inside of ${…} is a literal.
  const expanded = rendered.replace(/\$\{[^{}:]{0,200}(?::[^-={}][^{}]{0,200})?\}/g, FILLED_IN);
  return shell ? expanded.replace(/\$\([^()]{0,2000}\)|\$(?:[A-Za-z_]+|\d)\b/g, FILLED_IN) : expanded;
}

const CONTROL = /^(?:if|else|end|with|range|define|block|template|break|continue)\b|^\/\*/;
const ONLY_STRINGS =
  /^(?:[\s|(),\d]|\b(?:printf?|println|base64(?:URL)?Decode|trimSpace|toLower|toUpper|toTitle|replaceAll|join|split|envOrDefault|keyOrDefault)\b)*$/;
const STRING = /"(?:\\.|[^"\\])*"|`[^`]*`/g;

/** What reads something on the machine: whatever has none of these stands in the job as it is. */
const READS =
  /[.$]|\b(?:env\w*|mustEnv|nomad\w+|key\w*|ls|tree|safe\w+|secrets?|service\w*|connect|file|nodes?|datacenters|partitions|peerings?|ca(?:Roots|Leaf)|pki\w*|timestamp|executeTemplate|loop)\b/;

/** What a template's action stands for: a new piece of text, strings written out in it, or something filled in. */
function rendering(action: string, literals: Map<string, string>): string {
  const code = action.trim();
  const before = literals.get(code);
  if (before !== undefined) return before;
  if (CONTROL.test(code)) {
    const [, what] = /^(?:with|range)\b(.*)$/s.exec(code) ?? [];
    const given = (what?.match(STRING) ?? []).map((one) => one.slice(1, -1));
    if (what === undefined) return "\n";
    literals.delete(".");
    if (given.length > 0 && !READS.test(what.replace(STRING, ""))) literals.set(".", given.join(""));
    return "\n";
  }
  const [, variable, expression] = /^\$(\w+)\s*:?=\s*(.*)$/s.exec(code) ?? [];
  const value = expression ?? code;
  const strings = (value.match(STRING) ?? []).map((one) => one.slice(1, -1));
  const rest = value.replace(STRING, "");
  const isWrittenOut = strings.length > 0 && (ONLY_STRINGS.test(rest) || !READS.test(rest));
  const result = isWrittenOut ? written(strings, value) : FILLED_IN;
  if (variable) literals.set(`$${variable}`, result);
  return variable ? `\n${variable}="${result}"\n` : result;
}

/** Strings that an action joins; what it decodes was hidden on purpose. */
function written(strings: readonly string[], code: string): string {
  const isFormat = /^\s*printf\b/.test(code);
  const text = (isFormat ? strings.filter((one) => !/^(?:%[sdvq]|\W)*$/.test(one)) : strings).join("");
  return /\bbase64/.test(code) ? `\ndecoded_secret="${text}"\n` : text;
}
