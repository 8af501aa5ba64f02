import { writersOf } from "../../model/places";
import { judgeNomad, MINIMUM_NOMAD } from "../../model/versions";
import { type NodeStub, nodesOf, type ServerMember, serversOf } from "../../nomad/live";
import type { Mood } from "./mood";
import type { Target } from "./target";

/** The Nomad that runs. */
export interface NomadView {
  /** Every release that an agent has, once. */
  readonly versions: readonly string[];
  readonly mood: Mood;
  /** What is wrong with it, by agent; accepted or not. */
  readonly problem?: string;
  readonly remedy?: string;
  /** Why it is accepted. */
  readonly acknowledged?: string;
}

/** Judges the release of every agent that may run something; one that does not tell is not taken for a new one. */
export async function nomadOf(
  target: Pick<Target, "client" | "homelab">,
  nodes: readonly NodeStub[],
): Promise<NomadView> {
  return judgeAgents(target, await serversOf(target.client), nodes);
}

/** Why a deploy must wait for another release of Nomad; nothing when that is accepted. */
export async function nomadRefusals(
  target: Pick<Target, "client" | "homelab">,
): Promise<readonly { readonly problem: string; readonly remedy: string }[]> {
  const { problem, remedy = "", mood } = await nomadOf(target, await nodesOf(target.client));
  return problem && mood === "bad" ? [{ problem, remedy }] : [];
}

/** See {@link nomadOf}. */
export function judgeAgents(
  { homelab }: Pick<Target, "homelab">,
  servers: readonly ServerMember[],
  nodes: readonly NodeStub[],
): NomadView {
  const agents = [
    ...servers
      .filter(({ Status }) => Status !== "left")
      .map(({ Name, Tags }) => ({ name: `server ${Name}`, version: Tags.build || "unknown" })),
    ...nodes
      .filter(({ Status }) => Status !== "down")
      .map(({ Name, Version }) => ({ name: `client ${Name}`, version: Version || "unknown" })),
  ];
  const versions = [...new Set(agents.map(({ version }) => version))].sort();
  // Without a writer there is no second one.
  const judged = writersOf(homelab).length > 0 ? versions : [];
  const problems = judged.flatMap((version) => {
    const problem = judgeNomad(version);
    const names = agents.filter((one) => one.version === version).map(({ name }) => name);
    return problem ? [`Nomad ${version} (${names.join(", ")}) ${problem}`] : [];
  });
  if (problems.length === 0) return { versions, mood: "good" };
  const acknowledged = homelab.acknowledgements.find(({ rule }) => rule === "nomad-version")?.reason;
  return {
    versions,
    mood: acknowledged === undefined ? "bad" : "waiting",
    problem: problems.join("; "),
    remedy: `set nomad_version in the inventory to ${MINIMUM_NOMAD.version.join(".")} or newer, and run ansible/playbooks/patch_cluster.yml`,
    ...(acknowledged !== undefined && { acknowledged }),
  };
}
