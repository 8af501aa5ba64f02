/** Policies of a namespace by the capabilities that they stand for. */
const NAMESPACE_POLICIES: Readonly<Record<string, readonly string[]>> = {
  read: [
    "list-jobs",
    "parse-job",
    "read-job",
    "csi-list-volume",
    "csi-read-volume",
    "list-scaling-policies",
    "read-scaling-policy",
    "read-job-scaling",
    "host-volume-read",
  ],
  scale: ["list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job"],
  write: [
    "list-jobs",
    "parse-job",
    "read-job",
    "submit-job",
    "dispatch-job",
    "scale-job",
    "read-logs",
    "read-fs",
    "alloc-exec",
    "alloc-lifecycle",
    "csi-list-volume",
    "csi-read-volume",
    "csi-mount-volume",
    "csi-write-volume",
    "list-scaling-policies",
    "read-scaling-policy",
    "read-job-scaling",
    "submit-recommendation",
    "host-volume-create",
    "host-volume-read",
    "host-volume-register",
    "host-volume-delete",
    "host-volume-write",
  ],
};

/** What a capability takes in as well. */
const LEVELS: Readonly<Record<string, readonly string[]>> = {
  read: ["list", "read"],
  write: ["list", "read", "write"],
};

/**
 * What a policy of Nomad's ACL grants, one line a grant: `namespace "bitcoin": submit-job`. A denial is a line as well.
 *
 * @returns undefined when the text is not understood: then nobody knows what it grants.
 * @see https://developer.hashicorp.com/nomad/docs/other-specifications/acl-policy
 */
export function grantsOf(hcl: string): Set<string> | undefined {
  const tokens = tokensOf(hcl);
  if (!tokens) return undefined;
  const grants = new Set<string>();
  const end = block(tokens, 0, [], grants);
  return end === tokens.length ? grants : undefined;
}

const TOKEN = /\s+|#[^\n]*|\/\/[^\n]*|\/\*|"((?:[^"\\\n]|\\.)*)"|([A-Za-z_][\w-]*)|([{}[\]=,])/y;

type Token = { readonly text: string; readonly isText: boolean };

function tokensOf(hcl: string): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < hcl.length; ) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(hcl);
    if (!found) return undefined;
    at = TOKEN.lastIndex;
    const [whole, quoted, name, sign] = found;
    if (whole === "/*") {
      const end = hcl.indexOf("*/", at);
      if (end < 0) return undefined;
      at = end + 2;
    } else if (quoted !== undefined) tokens.push({ text: quoted, isText: true });
    else if (name ?? sign) tokens.push({ text: name ?? sign ?? "", isText: false });
  }
  return tokens;
}

/** Reads attributes and blocks up to the end of this one; the place after it, or -1. */
function block(tokens: readonly Token[], start: number, scope: readonly string[], grants: Set<string>): number {
  let at = start;
  while (at < tokens.length) {
    const token = tokens[at] as Token;
    if (token.text === "}" && !token.isText) return scope.length > 0 ? at + 1 : -1;
    if (/^[{[\]=,]$/.test(token.text) && !token.isText) return -1;
    const next = tokens[at + 1];
    if (next?.text === "=" && !next.isText) {
      const values = valuesAt(tokens, at + 2);
      if (!values) return -1;
      for (const value of values.texts) for (const one of meaning(token.text, value, scope)) grants.add(one);
      at = values.end;
      continue;
    }
    // `namespace "bitcoin" {`, and `node {`.
    const label = next?.isText ? next.text : undefined;
    const open = tokens[at + (label === undefined ? 1 : 2)];
    if (open?.text !== "{" || open.isText) return -1;
    const name = label === undefined ? token.text : `${token.text} "${label}"`;
    const inner = block(tokens, at + (label === undefined ? 2 : 3), [...scope, name], grants);
    if (inner < 0) return -1;
    at = inner;
  }
  return scope.length > 0 ? -1 : at;
}

function valuesAt(tokens: readonly Token[], start: number): { texts: string[]; end: number } | undefined {
  const first = tokens[start];
  if (!first) return undefined;
  if (first.isText || first.text === "true" || first.text === "false") return { texts: [first.text], end: start + 1 };
  if (first.text !== "[") return undefined;
  const texts: string[] = [];
  for (let at = start + 1; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (token.isText) texts.push(token.text);
    else if (token.text === "]") return { texts, end: at + 1 };
    else if (token.text !== ",") return undefined;
  }
  return undefined;
}

/** What a grant is of, such as `namespace "bitcoin"`. */
export function scopeOf(grant: string): string {
  return grant.slice(0, grant.lastIndexOf(": "));
}

function meaning(key: string, value: string, scope: readonly string[]): string[] {
  const place = scope.join(", ") || "everywhere";
  const ofNamespace = key === "policy" && scope.length === 1 && scope[0]?.startsWith("namespace");
  const known = ofNamespace ? NAMESPACE_POLICIES[value] : LEVELS[value];
  return (known ?? [value]).map((one) => `${place}: ${one}`);
}
