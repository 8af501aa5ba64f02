import type { NomadClient } from "../../nomad/client";
import type { AllocationStub } from "../../nomad/live";
import { lastLines } from "../../nomad/logs";
import { NomadError } from "../../nomad/nomad-error";
import { type Health, waitText } from "./health";
import type { Mood } from "./mood";
import {
  albyHub,
  type BitcoinProgress,
  bitcoinProgress,
  type ElectrsAnswer,
  electrs,
  endpointOf,
  type HubAnswer,
} from "./programs";
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

/**
 * What the program of a running service says of itself, when its health leaves something to say.
 *
 * @param health as that of its first running allocation.
 */
export async function programStatus(
  service: Service,
  running: readonly AllocationStub[],
  chain: Chain | undefined,
  health: Health | undefined,
): Promise<ProgramStatus | undefined> {
  const [allocation] = running;
  if (allocation?.ClientStatus !== "running" || !health) return undefined;
  if (service.program === "Bitcoin Core") return chainStatus(chain);
  if (service.program === "electrs") {
    return electrsStatus(await electrs(endpointOf(service, allocation, "electrum")), chain, health);
  }
  if (service.program === "Alby Hub") return hubStatus(await albyHub(endpointOf(service, allocation, "http")), health);
  return undefined;
}

/** So many blocks behind bitcoind an index is not up to date, and so many more it has stopped. */
const BEHIND = 2;
const FAR_BEHIND = 6;

function electrsStatus(answer: ElectrsAnswer, chain: Chain | undefined, health: Health): ProgramStatus {
  const node = chain?.progress?.height;
  const tip = `${answer.height ?? "no tip"}${node === undefined ? "" : ` of bitcoind's ${node}`}`;
  if (answer.known && !answer.ready) return { text: `indexing: serves a part, height ${tip}`, mood: "waiting" };
  if (answer.known) {
    const behind = node === undefined || answer.height === undefined ? 0 : node - answer.height;
    if (behind < BEHIND) return { text: `answers server.ping; tip ${tip}`, mood: "good" };
    return { text: `answers, ${behind} blocks behind: tip ${tip}`, mood: behind < FAR_BEHIND ? "waiting" : "bad" };
  }
  if (!health.healthy) return { text: health.text, mood: health.mood };
  // Nomad's check asked it less than a minute ago, or nobody did.
  const seen = health.checks.some(({ StatusCode }) => StatusCode === 200);
  if (seen) return { text: `its probe had an answer a moment ago, and here ${answer.problem}`, mood: "waiting" };
  const syncs = chain?.progress && ["starting", "headers", "blocks"].includes(chain.progress.phase);
  if (syncs) return { text: `${answer.problem}; bitcoind is not in sync yet`, mood: "waiting" };
  return { text: `electrs unknown: ${answer.problem}`, mood: "bad" };
}

function hubStatus(answer: HubAnswer, health: Health): ProgramStatus {
  if (answer.known && !answer.setUp) {
    return { text: "set-up is open to anyone who reaches its page: set it up now", mood: "bad" };
  }
  if (answer.known && answer.running && health.healthy) return { text: "Lightning runs", mood: "good" };
  // A check speaks of the last half minute, an answer of now.
  if (answer.known && answer.running) return { text: "Lightning runs", mood: health.mood };
  const waits = waitText(health.checks);
  if (health.mood === "bad" && !health.healthy) return { text: health.text, mood: "bad" };
  if (waits) return { text: `Lightning does not run: ${waits}`, mood: health.mood };
  if (answer.known) return { text: "the page loads, and Lightning does not run", mood: "bad" };
  return { text: `Lightning unknown: ${answer.problem}`, mood: "bad" };
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
