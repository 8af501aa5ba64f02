import type { Machines } from "./machines";

type Policy = "reader" | "deployer" | "patcher" | "snapshotter";

/** A request, and the policies that may make it. Where none may, it takes a management token. */
type Case = readonly [
  what: string,
  method: string,
  path: string | ((node: string) => string),
  body: unknown,
  may: readonly Policy[],
];

const everyone = ["reader", "deployer", "patcher"] as const;
const SECRET = { Path: "wallet", Items: { password: "correct horse" } };
const HOMELAB = { Path: "homelab/pause", Items: { reason: "a test" } };
const VOLUME = {
  ID: "data",
  Name: "data",
  PluginID: "nfs",
  ExternalID: "data",
  RequestedCapabilities: [{ AccessMode: "multi-node-single-writer", AttachmentMode: "file-system" }],
};

/** A job that runs nothing. */
export function idle(Namespace: string) {
  const Tasks = [{ Name: "idle", Driver: "docker", Config: { image: "stand-in:1" } }];
  return {
    Job: {
      ID: "idle",
      Name: "idle",
      Namespace,
      Datacenters: ["homelab"],
      TaskGroups: [{ Name: "idle", Count: 0, Tasks }],
    },
  };
}

const CASES: readonly Case[] = [
  ["see jobs", "GET", "jobs?namespace=*", undefined, everyone],
  ["see a job", "GET", "job/idle?namespace=bitcoin", undefined, everyone],
  ["see allocations", "GET", "allocations?namespace=*", undefined, everyone],
  ["see deployments", "GET", "deployments?namespace=*", undefined, everyone],
  ["see nodes", "GET", "nodes", undefined, everyone],
  ["see CSI plugins", "GET", "plugins?type=csi", undefined, everyone],
  ["see the scheduler's settings", "GET", "operator/scheduler/configuration", undefined, ["reader", "deployer"]],
  ["see which secrets there are", "GET", "vars?namespace=bitcoin", undefined, ["reader", "deployer"]],
  [
    "compare a job",
    "PUT",
    "job/idle/plan?namespace=bitcoin",
    { ...idle("bitcoin"), Diff: true },
    ["reader", "deployer"],
  ],
  ["submit a job in bitcoin", "PUT", "jobs?namespace=bitcoin", idle("bitcoin"), ["deployer"]],
  ["submit a job in another namespace", "PUT", "jobs?namespace=other", idle("other"), []],
  ["scale a job", "PUT", "job/idle/scale?namespace=bitcoin", { Count: 0, Target: { Group: "idle" } }, ["deployer"]],
  ["register a volume in bitcoin", "PUT", "volume/csi/data?namespace=bitcoin", { Volumes: [VOLUME] }, ["deployer"]],
  ["see volumes everywhere", "GET", "volumes?type=csi&namespace=*", undefined, everyone],
  ["note a pause", "PUT", "var/homelab/pause", HOMELAB, ["deployer", "patcher"]],
  ["see a pause", "GET", "var/homelab/pause", undefined, everyone],
  ["read a secret", "GET", "var/wallet?namespace=bitcoin", undefined, []],
  ["read a secret of another namespace", "GET", "var/wallet", undefined, []],
  ["write a secret", "PUT", "var/wallet?namespace=bitcoin", SECRET, []],
  ["delete a secret", "DELETE", "var/wallet?namespace=bitcoin", undefined, []],
  ["take a node out and back", "PUT", (node) => `node/${node}/eligibility`, { Eligibility: "eligible" }, ["patcher"]],
  ["drain a node", "PUT", (node) => `node/${node}/drain`, { DrainSpec: null, MarkEligible: true }, ["patcher"]],
  ["set the scheduler", "PUT", "operator/scheduler/configuration", { SchedulerAlgorithm: "spread" }, []],
  ["make a namespace", "PUT", "namespace/third", { Name: "third" }, []],
  ["make a token", "PUT", "acl/token", { Name: "t", Type: "management" }, []],
  ["change a policy", "PUT", "acl/policy/patcher", { Name: "patcher", Rules: 'node { policy = "write" }' }, []],
  ["take a snapshot", "GET", "operator/snapshot", undefined, ["snapshotter"]],
  ["stop a job", "DELETE", "job/idle?namespace=bitcoin", undefined, ["deployer"]],
];

/**
 * What is wrong with the policies as Nomad has them: a line for each request that is let through or refused wrongly. A
 * job must run, since Nomad answers with an empty list what a token may not see; what takes a CSI plugin is left out without.
 */
export async function judgePolicies(machines: Machines): Promise<string[]> {
  for (const Name of ["bitcoin", "other"]) await machines.nomad(`namespace/${Name}`, { method: "PUT", body: { Name } });
  for (const path of ["var/wallet", "var/wallet?namespace=bitcoin"]) {
    await machines.nomad(path, { method: "PUT", body: SECRET });
  }
  await machines.nomad("jobs?namespace=bitcoin", { method: "PUT", body: idle("bitcoin") });
  const [node] = await machines.nomad<{ ID: string }[]>("nodes");
  const tokens: [Policy | "nobody", string][] = [["nobody", ""]];
  for (const policy of [...everyone, "snapshotter"] as const) {
    tokens.push([policy, await tokenOf(machines, policy)]);
  }
  const wrong: string[] = [];
  const plugins = await machines.nomad<unknown[]>("plugins?type=csi");
  const cases = plugins.length > 0 ? CASES : CASES.filter(([, , path]) => !path.toString().includes("csi"));
  for (const [what, method, path, body, may] of cases) {
    for (const [policy, token] of tokens) {
      const url = typeof path === "string" ? path : path(node?.ID ?? "");
      const answer = await machines.ask(url, { method, body, token });
      const text = await answer.text();
      const refused = answer.status === 403 || (method === "GET" && /^(\[\]|null)$/.test(text.trim()));
      const right = may.some((one) => one === policy) ? answer.ok && !refused : refused;
      if (!right) wrong.push(`${policy}: ${what}: ${answer.status} ${text.slice(0, 200)}`);
    }
  }
  const volume = plugins.length > 0 ? ["volume/csi/data?namespace=bitcoin"] : [];
  for (const path of ["var/wallet", "var/homelab/pause", ...volume]) await machines.nomad(path, { method: "DELETE" });
  return wrong;
}

/** A new token of one policy. */
export async function tokenOf(machines: Machines, policy: Policy): Promise<string> {
  const body = { Name: policy, Type: "client", Policies: [policy] };
  return (await machines.nomad<{ SecretID: string }>("acl/token", { method: "PUT", body })).SecretID;
}
