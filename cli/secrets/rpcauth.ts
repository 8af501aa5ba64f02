import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * What follows `rpcauth=<user>:` in bitcoin.conf: a random salt, and the hash of the password with it.
 *
 * @see https://github.com/bitcoin/bitcoin/blob/v31.0/share/rpcauth/rpcauth.py
 */
export function rpcauth(password: string, salt = randomBytes(16).toString("hex")): string {
  return `${salt}$${createHmac("sha256", salt).update(password).digest("hex")}`;
}

/** Whether bitcoind can read it; any other text makes it refuse to start. */
export function isRpcauth(text: string): boolean {
  return /^[^:$\s]+\$[0-9a-f]{64}$/.test(text);
}

/** Whether a hash was made from this password. */
export function belongsTo(hash: string, password: string): boolean {
  const [salt = ""] = hash.split("$");
  const [given, made] = [Buffer.from(hash), Buffer.from(rpcauth(password, salt))];
  return given.length === made.length && timingSafeEqual(given, made);
}
