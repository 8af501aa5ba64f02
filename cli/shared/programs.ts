import { createConnection } from "node:net";
import { Duration } from "../../nomad/duration";
import type { AllocationStub } from "../../nomad/live";
import type { Service } from "./services";

/** A program on the home network that gives no answer within this is taken for silent. */
const RESPONSE_TIMEOUT = Duration.seconds(5);

/** No answer has as many bytes; whoever sends more is not the program. */
const RESPONSE_LIMIT = 1_000_000;

/** Where a program listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The address behind a port's label; the group's first port when it has no such label. */
export function endpointOf(
  { group }: Service,
  allocation: AllocationStub | undefined,
  label: string,
): Endpoint | undefined {
  const ports = allocation?.AllocatedResources?.Shared.Ports ?? [];
  const first = group.Networks?.[0]?.ReservedPorts?.[0]?.Label ?? group.Networks?.[0]?.DynamicPorts?.[0]?.Label;
  const port = ports.find(({ Label }) => Label === label) ?? ports.find(({ Label }) => Label === first);
  return port && { host: port.HostIP, port: port.Value };
}

/** What bitcoind's log tells of its chain. */
export interface BitcoinProgress {
  readonly phase: "starting" | "headers" | "blocks" | "synced" | "running" | "stopping";
  /** Of the last block that was connected. */
  readonly height?: number;
  /** 0 to 1. */
  readonly progress?: number;
  /** What it does while it starts. */
  readonly text?: string;
}

/** This much of the chain, and a node is called synced. */
const SYNCED = 0.9999;

/**
 * Reads lines of bitcoind's log, oldest first. Of what stands there, the last counts; `running` is a node that has
 * started and said nothing of blocks.
 *
 * @see https://github.com/bitcoin/bitcoin/blob/v31.0/src/validation.cpp `UpdateTipLog`
 */
export function bitcoinProgress(lines: readonly string[]): BitcoinProgress {
  let found: BitcoinProgress = { phase: "starting" };
  for (const line of lines) {
    const [, message] = /init message: (.*)/.exec(line) ?? [];
    const [, height, progress] = /UpdateTip: .*height=(\d+) .*progress=([\d.]+)/.exec(line) ?? [];
    const [, loaded, part] = /Loaded best chain: .*height=(\d+) .*progress=([\d.]+)/.exec(line) ?? [];
    const [, headers, percent] = /Synchronizing blockheaders, height: (\d+) \(~([\d.]+)%\)/.exec(line) ?? [];
    if (/Bitcoin Core version /.test(line)) found = { phase: "starting" };
    else if (/Shutdown: In progress/.test(line)) found = { ...found, phase: "stopping" };
    else if (message === "Done loading") found = { ...found, phase: loadedPhase(found) };
    else if (message) found = { ...found, phase: "starting", text: message };
    else if (loaded) found = { ...found, height: Number(loaded), progress: Number(part) };
    else if (height) {
      const synced = Number(progress) >= SYNCED;
      found = { phase: synced ? "synced" : "blocks", height: Number(height), progress: Number(progress) };
    } else if (headers) found = { ...found, phase: "headers", progress: Number(percent) / 100 };
    else if (/Leaving InitialBlockDownload/.test(line)) found = { ...found, phase: "synced" };
  }
  return found;
}

/** Of a node that has started, by the chain that it found on its disk. */
function loadedPhase({ progress }: BitcoinProgress): BitcoinProgress["phase"] {
  if (progress === undefined) return "running";
  return progress >= SYNCED ? "synced" : "blocks";
}

/** What electrs answers. `asked` is false when it could not be reached from here. */
export interface ElectrsAnswer {
  readonly known: boolean;
  /** Whether `server.ping` answers, which it does when the index is complete. */
  readonly ready?: boolean;
  /** The height it serves, which while it indexes is that of a part. */
  readonly height?: number;
  /** Why it is not known. */
  readonly problem?: string;
}

/** Asks an Electrum server in its own protocol. It never fails: what is not known is said. */
export function electrs(endpoint: Endpoint | undefined): Promise<ElectrsAnswer> {
  if (!endpoint) return Promise.resolve({ known: false, problem: "it has no port" });
  return new Promise((resolve) => {
    const answers = new Map<number, { result?: unknown; error?: unknown }>();
    const socket = createConnection(endpoint);
    const end = (problem?: string) => {
      clearTimeout(deadline);
      socket.destroy();
      const tip = answers.get(2)?.result as { height?: number } | undefined;
      const known = answers.size > 0;
      const ping = answers.get(3);
      resolve({
        known,
        ...(known && { ready: ping !== undefined && !("error" in ping) }),
        ...(tip?.height !== undefined && { height: tip.height }),
        ...(problem && !known && { problem }),
      });
    };
    let text = "";
    let size = 0;
    // For all answers together: what comes drop by drop never ends.
    const deadline = setTimeout(
      () => end("it takes connections and does not answer"),
      RESPONSE_TIMEOUT.toMilliseconds(),
    );
    socket.on("error", ({ message }) => end(`it cannot be asked from here: ${message}`));
    socket.on("close", () => end("it closed the connection"));
    socket.on("data", (chunk) => {
      size += chunk.length;
      if (size > RESPONSE_LIMIT) return end(`its answer has more than ${RESPONSE_LIMIT} bytes`);
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const answer = parse(line);
        // What has no id is news of another tip.
        if (typeof answer?.id === "number") answers.set(answer.id, answer);
      }
      if (answers.size === 3) end();
    });
    const ask = (id: number, method: string, params: readonly unknown[]) =>
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    ask(1, "server.version", ["homelab", "1.4"]);
    ask(2, "blockchain.headers.subscribe", []);
    ask(3, "server.ping", []);
  });
}

function parse(line: string): { id?: unknown; result?: unknown; error?: unknown } | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What Alby Hub says of itself without a login. */
export interface HubAnswer {
  readonly known: boolean;
  /** Whether the Lightning node runs: a page that loads does not say so. */
  readonly running?: boolean;
  /** False: whoever reaches the page first owns it. */
  readonly setUp?: boolean;
  /** Why it is not known. */
  readonly problem?: string;
}

/** @see https://github.com/getAlby/hub/blob/v1.24.0/api/models.go `InfoResponse` */
export async function albyHub(endpoint: Endpoint | undefined): Promise<HubAnswer> {
  if (!endpoint) return { known: false, problem: "it has no port" };
  try {
    // A hub sends nobody elsewhere; whoever does would let this program ask what it should not.
    const response = await fetch(`http://${endpoint.host}:${endpoint.port}/api/info`, {
      signal: AbortSignal.timeout(RESPONSE_TIMEOUT.toMilliseconds()),
      redirect: "error",
    });
    const { running, setupCompleted } = JSON.parse(await limited(response)) as {
      running?: unknown;
      setupCompleted?: unknown;
    };
    if (typeof running === "boolean" && typeof setupCompleted === "boolean") {
      return { known: true, running, setUp: setupCompleted };
    }
    return { known: false, problem: "its answer is not that of Alby Hub" };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    return { known: false, problem: `it does not answer: ${cause?.message ?? message}` };
  }
}

/** @throws when it has more bytes than an answer may have. */
async function limited({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > RESPONSE_LIMIT) throw new Error(`more than ${RESPONSE_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
