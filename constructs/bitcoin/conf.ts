import type { Secret } from "../../nomad/template";
import type { RpcUser } from "./rpc";

/** Which block chain a node follows. */
export type Chain = "main" | "testnet4" | "signet" | "regtest";

/** Ports inside of the container; RPC and P2P are those of the chain. */
export const CHAIN_PORTS: Readonly<Record<Chain, { readonly rpc: number; readonly p2p: number }>> = {
  main: { rpc: 8332, p2p: 8333 },
  testnet4: { rpc: 48332, p2p: 48333 },
  signet: { rpc: 38332, p2p: 38333 },
  regtest: { rpc: 18443, p2p: 18444 },
};

/** Where indexers connect, with permissions that neither a full peer table nor an upload limit cuts off. */
export const INDEXER_PORT = 8335;

/**
 * Options of `bitcoin.conf` beyond those the construct sets. A list gives an option several times, which bitcoind
 * understands of few; of all others the first one would win.
 */
export type ExtraConfig = Readonly<Record<string, string | number | readonly (string | number)[]>>;

/** Set by the construct: by a prop, or because everything else relies on it. */
const OWNED = new Map<string, string>([
  ["chain", "the prop `chain`"],
  ["regtest", "the prop `chain`"],
  ["signet", "the prop `chain`"],
  ["testnet", "the prop `chain`"],
  ["testnet4", "the prop `chain`"],
  ["txindex", "the prop `txindex`"],
  ["prune", "the prop `prune`"],
  ["dbcache", "the prop `dbcache`"],
  ["rpcport", "the prop `rpcPort`"],
  ["port", "the prop `p2pPort`"],
  ["rpcauth", "`rpcUser(name, methods)`"],
  ["rpcuser", "`rpcUser(name, methods)`"],
  ["rpcpassword", "`rpcUser(name, methods)`"],
  ["rpcwhitelist", "`rpcUser(name, methods)`"],
  ["rpcwhitelistdefault", "`rpcUser(name, methods)`"],
  ["rpcallowip", "the inventory's networks"],
  ["rpcbind", "the construct"],
  ["rpccookiefile", "the construct"],
  ["rest", "the construct, when a consumer needs it"],
  ["server", "the construct"],
  ["bind", "the construct"],
  ["whitebind", "the construct"],
  ["listen", "the construct"],
  ["discover", "the construct"],
  ["persistmempool", "the construct: off, since reloading it takes hours on a Raspberry Pi"],
  ["disablewallet", "the construct: this volume is backed up by nobody, so no wallet may be made on it"],
  ["wallet", "the construct: this volume is backed up by nobody, so no wallet may be made on it"],
  ["datadir", "the construct"],
  ["blocksdir", "the construct"],
  ["conf", "the construct"],
  ["includeconf", "the construct"],
  ["daemon", "the construct"],
  ["daemonwait", "the construct"],
  ["printtoconsole", "the construct"],
  ["debuglogfile", "the construct"],
]);

/** Options that bitcoind reads more than once. */
const REPEATABLE = new Set([
  "addnode", "blockfilterindex", "connect", "debug", "debugexclude", "deprecatedrpc", "externalip", "loglevel",
  "onlynet", "seednode", "signetseednode", "testactivationheight", "uacomment", "vbparams", "whitelist", "zmqpubhashblock", "zmqpubhashtx", "zmqpubrawblock", "zmqpubrawtx",
  "zmqpubsequence",
]); // biome-ignore format: a list

const SECRET = /pass|secret|token|auth|privkey|mnemonic|macaroon|seedphrase/;

/**
 * Checks the owner's own options.
 *
 * @param place begins each message: the construct path and the prop.
 * @throws on an option the construct owns, on `reindex`, on one given twice, on a secret, on a line break.
 */
export function checkExtraConfig(place: string, extra: ExtraConfig): void {
  const seen = new Map<string, string>();
  for (const [written, value] of Object.entries(extra)) {
    const name = written.replace(/^-+/, "").toLowerCase();
    // `noreindex = 0` is `reindex = 1`, so what an option is called decides, not how it is turned.
    const option = name.replace(/^no/, "");
    const refuse = (problem: string) => {
      throw new Error(`${place}: "${written}" ${problem}`);
    };
    const owner = OWNED.get(option);
    if (owner) refuse(`is set by ${owner}; take it out of extraConfig`);
    if (option.startsWith("reindex")) {
      refuse("would start from block 0 at every restart; run it once by hand with the service stopped");
    }
    if (!/^[a-z][a-z0-9]*$/.test(written)) {
      refuse("is no option of bitcoin.conf: write its plain name in small letters, such as maxmempool");
    }
    if (option !== name) refuse(`negates ${option}; write ${option} = 0, or the value it shall have`);
    if (SECRET.test(option))
      refuse("looks like a secret; a secret must not stand in a job: use rpcUser for RPC access");
    const twin = seen.get(option);
    if (twin !== undefined) refuse(`repeats "${twin}"; bitcoind would take the first and ignore this one`);
    if (Array.isArray(value) && value.length > 1 && !REPEATABLE.has(option)) {
      refuse("is given several times; bitcoind would take the first value and ignore the others");
    }
    for (const text of [value].flat().map(String)) {
      if (text.trim() === "" || /[\r\n#]/.test(text)) {
        refuse(`= ${JSON.stringify(text)} must be one line, not empty, without #`);
      }
      if (/[a-z]+:\/\/[^/\s]*:[^/\s]*@/.test(text))
        refuse("holds a password in a URL; a secret must not stand in a job");
    }
    seen.set(option, written);
  }
}

/** A user of RPC with the hash of its password. */
export interface RpcAccount extends RpcUser {
  readonly hash: Secret;
}

export interface BitcoinConf {
  readonly chain: Chain;
  readonly txindex: boolean;
  /** MiB of blocks to keep; 0 keeps all. */
  readonly prune: number;
  /** MiB. */
  readonly dbcache: number;
  readonly rest: boolean;
  readonly users: readonly RpcAccount[];
  /** Networks and addresses that may call RPC; bitcoind adds its own loopback. */
  readonly rpcAllow: readonly string[];
  readonly extra: ExtraConfig;
}

/** Key of a user's hash in bitcoind's Nomad variable. */
export function rpcHashKey(user: string): string {
  return `rpcauth_${user.replaceAll("-", "_")}`;
}

/** The template of `bitcoin.conf`. On a test chain, what is bound to a network stands in the section of the chain. */
export function bitcoinConf(conf: BitcoinConf): string {
  const ports = CHAIN_PORTS[conf.chain];
  const users = conf.users.flatMap(({ name, methods, hash }) => [
    hash.line((value) => `rpcauth=${name}:${value}`),
    // One line per user: bitcoind intersects several. A second hash lets a password be changed without a gap.
    hash.next.lineIfSet((value) => `rpcauth=${name}:${value}`),
    `rpcwhitelist=${name}:${methods.join(",")}`,
  ]);
  const lines = [
    `chain=${conf.chain}`,
    "server=1",
    ...(conf.txindex ? ["txindex=1"] : []),
    ...(conf.prune > 0 ? [`prune=${conf.prune}`] : []),
    `dbcache=${conf.dbcache}`,
    "persistmempool=0",
    "disablewallet=1",
    "printtoconsole=1",
    "nodebuglogfile=1",
    "discover=0",
    ...(conf.rest ? ["rest=1"] : []),
    ...users,
    "rpcwhitelistdefault=0",
    ...(conf.chain === "main" ? [] : [`[${conf.chain}]`]),
    "rpcbind=0.0.0.0",
    `rpcport=${ports.rpc}`,
    ...conf.rpcAllow.map((network) => `rpcallowip=${network}`),
    `bind=0.0.0.0:${ports.p2p}`,
    `whitebind=noban,download@0.0.0.0:${INDEXER_PORT}`,
    ...Object.entries(conf.extra).flatMap(([option, value]) => [value].flat().map((one) => `${option}=${one}`)),
  ];
  return `${lines.join("\n")}\n`;
}
