/** Words that a name ends in when its value is a secret; `dbpassword` counts, `dnsseed` does not. */
const SECRET_ENDING =
  /(?:passwords?|passwd|passphrases?|secrets?|token|mnemonics?|macaroons?|rpcauth|apikeys?|privkey|seckey|htpasswd)$/;
const SECRET_WORD =
  /^(?:auth|authorization|pass|pwd?|private|seed|seeds|seedphrase|creds?|credentials?|unlock|bearer|jwt|nsec|nwc|xprv|wif|hmac|pin|otp|totp)$/;
const SECRET_PAIR =
  /(?:api|private|secret|access|encryption|signing|master|session|license|auth|gossip|encrypt|shared)key/;

/** A name that ends so speaks of a secret without being one. */
const ABOUT_A_SECRET =
  /^(?:file|path|dir|name|length|ttl|type|mode|enabled|user|username|host|port|url|uri|expiry|expires|age|days|hours|minutes|seconds|count|limit|size|algorithm|method|provider|scheme|realm|domain|issuer|audience|header|prefix|lifetime|duration|interval|class|policy|min|max|required|disabled|id)$/;

/** Names of numbers that everybody may know, and that look like a key. A name that also speaks of a secret still counts. */
const PUBLIC_NUMBER =
  /(?:signetchallenge|txid|hash|sha(?:256|512)|checksum|digest|fingerprint|pub(?:lic)?key|assumevalid|minimumchainwork)s?$/;

/** Names of what tells things apart, written as a UUID or as random signs without being a secret. */
const IDENTITY =
  /(?:id|ids|uuid|guid|version|commit|revision|hash|digest|checksum|fingerprint|pub(?:lic)?key|address|addr|xpub|npub|node|machine|volume|cluster|image|tag)$/;

/** A name with more signs than this names nothing. */
const LONGEST = 200;

function wordsOf(name: string): string[] {
  return name
    .slice(0, LONGEST)
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .map((word) => word.replace(/^((?!sha)[a-z]{3,})\d{1,3}$/, "$1"))
    .filter(Boolean);
}

/** Whether it is a number that everybody may know. */
export function isPublicNumber(name: string): boolean {
  return PUBLIC_NUMBER.test(wordsOf(name).join(""));
}

/** Whether a value of this name tells things apart. */
export function isIdentity(name: string): boolean {
  const joined = wordsOf(name).join("");
  // Nomad calls a token's secret its SecretID.
  return IDENTITY.test(joined) && !/secretids?$/.test(joined);
}

/** The same few names are asked for with every text of every job. */
const SECRET_NAMES = new Map<string, boolean>();

/** Whether a name says that its value is a secret. */
export function isSecretName(name: string): boolean {
  const known = SECRET_NAMES.get(name);
  if (known !== undefined) return known;
  const speaks = speaksOfSecret(name);
  if (SECRET_NAMES.size < 10_000) SECRET_NAMES.set(name, speaks);
  return speaks;
}

function speaksOfSecret(name: string): boolean {
  const words = wordsOf(name);
  if (ABOUT_A_SECRET.test(words.at(-1) ?? "")) return false;
  return words.some((word) => SECRET_ENDING.test(word) || SECRET_WORD.test(word)) || SECRET_PAIR.test(words.join(""));
}
