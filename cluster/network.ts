import { BlockList, isIPv4 } from "node:net";

// Loopback and "this host" mean another machine on every machine; multicast and broadcast are no machine at all.
const NO_HOST = subnets("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3");

// RFC 1918, and the shared space of RFC 6598 that VPN meshes use: nobody on the internet can come from there.
const PRIVATE = subnets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10");

/**
 * Checks the IPv4 address of a machine.
 *
 * @throws when the text is not four octets, or is an address no other machine can be reached at.
 */
export function ipv4Address(text: string): string {
  if (!isIPv4(text)) throw new Error(`"${text}" is not an IPv4 address: write four numbers, such as 192.168.68.50`);
  if (NO_HOST.check(text)) {
    throw new Error(`${text} is not an address that other hosts can reach: write the machine's address in the LAN`);
  }
  return text;
}

/**
 * Checks a private IPv4 network in CIDR notation, `192.168.68.0/24`. The prefix is 8 to 30 bits long. These networks
 * end in allow lists, so nothing public, and above all not the whole internet, may pass.
 *
 * @throws when it is not in CIDR notation, its host bits are set, or it is not within a private range.
 */
export function privateNetwork(text: string): string {
  const [address = "", prefix = "", ...rest] = text.split("/");
  if (!isIPv4(address) || !/^\d+$/.test(prefix) || rest.length > 0) {
    throw new Error(`"${text}" is not an IPv4 network: write address and prefix, such as 192.168.68.0/24`);
  }
  if (Number(prefix) === 0)
    throw new Error(`${text} admits every address there is: write the LAN, such as 192.168.68.0/24`);
  if (Number(prefix) < 8 || Number(prefix) > 30) {
    throw new Error(`the prefix of ${text} is out of range: write 8 to 30 bits, such as 192.168.68.0/24`);
  }
  const { first, last } = range(text);
  if (first !== toNumber(address)) {
    throw new Error(`${text} has host bits set: write the network's first address, ${toAddress(first)}/${prefix}`);
  }
  if (!PRIVATE.check(toAddress(first)) || !PRIVATE.check(toAddress(last))) {
    throw new Error(`${text} is not private: write a network within 10/8, 172.16/12, 192.168/16 or 100.64/10`);
  }
  return text;
}

/** Whether a machine of the network can have this address; its first and last address name the network itself. */
export function containsHost(network: string, address: string): boolean {
  const { first, last } = range(network);
  return toNumber(address) > first && toNumber(address) < last;
}

/** Whether two networks have an address in common. */
export function overlap(one: string, other: string): boolean {
  return range(one).first <= range(other).last && range(other).first <= range(one).last;
}

function range(network: string): { first: number; last: number } {
  const [address = "", prefix] = network.split("/");
  const size = 2 ** (32 - Number(prefix));
  const first = toNumber(address) - (toNumber(address) % size);
  return { first, last: first + size - 1 };
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join(".");
}

function subnets(...networks: string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    list.addSubnet(address, Number(prefix));
  }
  return list;
}
