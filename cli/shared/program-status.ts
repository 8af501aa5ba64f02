import type { NomadClient } from "../../nomad/client";
import type { AllocationStub } from "../../nomad/live";
import { lastLines } from "../../nomad/logs";
import { NomadError } from "../../nomad/nomad-error";
import type { Mood } from "./mood";
import { albyHub, type BitcoinProgress, bitcoinProgress, electrs, endpointOf } from "./programs";
import type { Service } from "./services";

/** How many bytes of bitcoind's log are read: some hundred lines. */
const LOG_TAIL = 128 * 1024;

/** What a program says of itself, such as how far it has come. */
export interface ProgramStatus {
  readonly text: string;
  readonly mood: Mood;
}

/** bitcoind as its log has it; undefined when the log cannot be read. */
export interface Chain {
  readonly progress?: BitcoinProgress;
  readonly problem?: string;
}

export async function chainOf(
  client: NomadClient,
  node: Service,
  allocations: readonly AllocationStub[],
): Promise<Chain> {
  const allocation = allocations.find((one) => one.ClientStatus === "running");
  if (!allocation) return {};
  try {
    const place = { allocation, task: node.main.Name, stream: "stdout" as const };
    return { progress: bitcoinProgress(await lastLines(client, place, LOG_TAIL)) };
  } catch (error) {
    if (error instanceof NomadError) return { problem: `its log cannot be read: ${error.message}` };
    throw error;
  }
}

export async function programStatus(
  service: Service,
  running: readonly AllocationStub[],
  chain: Chain | undefined,
): Promise<ProgramStatus | undefined> {
  const [allocation] = running;
  if (allocation?.ClientStatus !== "running") return undefined;
  if (service.program === "Bitcoin Core") return chainStatus(chain);
  if (service.program === "electrs") {
    const answer = await electrs(endpointOf(service, allocation, "electrum"));
    if (!answer.known) return { text: answer.problem ?? "it does not answer", mood: "waiting" };
    const node = chain?.progress?.height;
    const tip = `${answer.height ?? "no tip"}${node === undefined ? "" : ` of bitcoind's ${node}`}`;
    if (!answer.ready) return { text: `indexing: serves a part, height ${tip}`, mood: "waiting" };
    return { text: `answers server.ping; tip ${tip}`, mood: "good" };
  }
  if (service.program === "Alby Hub") {
    const answer = await albyHub(endpointOf(service, allocation, "http"));
    if (!answer.known) return { text: `Lightning unknown: ${answer.problem}`, mood: "waiting" };
    if (!answer.setUp) return { text: "set-up is open to anyone who reaches its page: set it up now", mood: "bad" };
    return answer.running
      ? { text: "Lightning runs", mood: "good" }
      : { text: "the page loads, and Lightning does not run", mood: "bad" };
  }
  return undefined;
}

function chainStatus({ progress, problem }: Chain = {}): ProgramStatus {
  if (!progress) return { text: problem ?? "its log says nothing yet", mood: "waiting" };
  const { phase, height, progress: part, text } = progress;
  const percent = part === undefined ? "" : `${(Math.floor(part * 10_000) / 100).toFixed(2)} %`;
  switch (phase) {
    case "starting":
      return { text: `starting${text ? `: ${text}` : ""}`, mood: "waiting" };
    case "headers":
      return { text: `synchronizing headers, ${percent}`, mood: "waiting" };
    case "blocks":
      return { text: `initial sync: height ${height}, ${percent}`, mood: "waiting" };
    case "synced":
      return { text: height === undefined ? "synced" : `synced, height ${height}`, mood: "good" };
    case "running":
      return { text: "loaded; no new block in its log yet", mood: "good" };
    case "stopping":
      return { text: "stopping", mood: "waiting" };
  }
}

/** Why a node should be left alone, by its log: it starts, is in its initial sync, or cannot be judged. */
export async function unsettled(
  client: NomadClient,
  node: Service,
  allocation: AllocationStub,
): Promise<string | undefined> {
  const { mood, text } = chainStatus(await chainOf(client, node, [allocation]));
  return mood === "good" ? undefined : text;
}
