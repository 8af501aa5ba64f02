import { isIP, isIPv6 } from "node:net";

/**
 * Whether two host names or addresses mean one machine. Two different addresses are taken for two machines; a name
 * beside an address, or beside another name, may be either, and nobody resolves names at synthesis.
 *
 * @returns undefined when it cannot be told.
 */
export function isSameServer(one: string, other: string): boolean | undefined {
  const [a, b] = [canonicalHost(one), canonicalHost(other)];
  if (a === b) return true;
  const family = isIP(a);
  return family !== 0 && family === isIP(b) ? false : undefined;
}

/**
 * One spelling for each host: lower case, no dot at the end, no brackets, and addresses as the resolver reads them, so
 * that 192.168.68.050 is 192.168.68.40.
 */
export function canonicalHost(host: string): string {
  const bare = host
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
  const url = `http://${isIPv6(bare) ? `[${bare}]` : bare}/`;
  const name = URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, "$1") : bare;
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(name);
  if (!mapped) return name;
  return mapped
    .slice(1)
    .map((part) => Number.parseInt(part, 16))
    .flatMap((part) => [part >> 8, part & 255])
    .join(".");
}
