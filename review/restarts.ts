import type { Job } from "../.gen/nomad/job";
import { isTemplate } from "../nomad/batch";
import { instances } from "../nomad/defaults";

/** What registering a job does to the instances of one of its groups. */
export interface GroupOutcome {
  readonly group: string;
  /** `next run`: of a job that only makes others, by the clock or when it is dispatched; nothing that runs is touched. */
  readonly outcome: "restarts" | "in place" | "starts" | "stops" | "next run";
  /** Fields that bring it about; for "in place" and "next run" those that change without a restart. */
  readonly because: readonly string[];
  /** In place only while the machine it runs on still suits. */
  readonly ifMachineSuits?: true;
}

/**
 * Fields of a group and its tasks that Nomad cannot change in a running instance.
 *
 * @see https://github.com/hashicorp/nomad/blob/v2.0.5/scheduler/util.go `tasksUpdated`
 */
const GROUP =
  /^(?:EphemeralDisk|Networks|Consul|Volumes|Meta|RestartPolicy\.RenderTemplates|Services\[[^\]]*\]\.Connect)\b/;
const TASK =
  /^(?:$|Driver|User|Config|Env|Artifacts|Vault|Secrets|Consul|Templates|CSIPluginConfig|VolumeMounts|Meta|Identity|Identities|LogConfig\.Disabled|RestartPolicy\.RenderTemplates)(?:$|[.[])|^Resources\.(?:CPU|Cores|MemoryMB|MemoryMaxMB|Devices|NUMA|SecretsMB|Networks)\b/;

/** Fields that say where an instance may run: it stays, unless its machine is none of them. */
const PLACE = /^(?:Datacenters|NodePool|Constraints|Affinities)\b/;

/**
 * What Nomad is expected to do, by its scheduler's rules.
 *
 * @param paths what differs, from `changedPaths`.
 */
export function expectedOutcomes(before: Job, after: Job, paths: readonly string[]): GroupOutcome[] {
  const names = [...new Set([...before.TaskGroups, ...after.TaskGroups].map(({ Name }) => Name))];
  return names.flatMap((name): GroupOutcome[] => {
    const [old, now] = [before, after].map(({ TaskGroups }) => TaskGroups.find(({ Name }) => Name === name));
    if (!old && isTemplate(after)) return [{ group: name, outcome: "next run", because: [] }];
    if (!old) return [{ group: name, outcome: "starts", because: [] }];
    if (!now) return [{ group: name, outcome: "stops", because: [] }];
    const inside = `TaskGroups[${name}].`;
    const own = paths.filter((path) => path.startsWith(inside));
    const ofJob = paths.filter((path) => !path.startsWith("TaskGroups["));
    if (isTemplate(before) && isTemplate(after)) {
      return own.length + ofJob.length > 0 ? [{ group: name, outcome: "next run", because: [...own, ...ofJob] }] : [];
    }
    // Metadata of the job belongs to every task, unless a group or task says otherwise under the same key.
    const restarting = [
      ...own.filter((path) => isDestructive(path.slice(inside.length))),
      ...ofJob.filter((path) => /^(?:Meta|ConsulNamespace)\b/.test(path)),
    ];
    if (restarting.length > 0) return [{ group: name, outcome: "restarts", because: restarting }];
    const [less, more] = [instances(old), instances(now)];
    const harmless = [...own, ...ofJob];
    if (more > less) return [{ group: name, outcome: "starts", because: [`${inside}Count`] }];
    if (more < less) return [{ group: name, outcome: "stops", because: [`${inside}Count`] }];
    if (harmless.length === 0) return [];
    const moves = harmless.some((path) => PLACE.test(path.replace(inside, "").replace(/^Tasks\[[^\]]*\]\./, "")));
    return [{ group: name, outcome: "in place", because: harmless, ...(moves && { ifMachineSuits: true as const }) }];
  });
}

function isDestructive(path: string): boolean {
  // Nomad disregards the number that a dynamic port is written with.
  if (/^Networks\[[^\]]*\]\.DynamicPorts\[[^\]]*\]\.Value$/.test(path)) return false;
  const [, rest] = /^Tasks\[[^\]]*\]\.?(.*)$/.exec(path) ?? [];
  return rest === undefined ? path === "Tasks" || GROUP.test(path) : TASK.test(rest);
}
