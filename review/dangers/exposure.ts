import type { Job, Task } from "../../.gen/nomad/job";
import { isCsiPlugin, runsAsRoot } from "../../model/places";
import { privilegesOf } from "../../rules/privileged";
import type { Context } from "../context";
import type { Finding } from "../findings";
import { secretsOf } from "../secrets";

/** What a job may newly do, what is newly reached from outside, and what everybody can newly read. */
export function exposure({ jobs, after: { described } }: Context): Finding[] {
  return jobs.flatMap(({ change, before, after }) => {
    const [old, now] = [before?.read.job, after?.read.job];
    if (!now || change.action === "none") return [];
    const at = { resource: change.address, subject: `job ${now.ID}` };
    const had = privileges(before?.shown);
    const [open, known] = old ? [ports(old), secretTexts(old)] : [new Set<string>(), new Set<string>()];
    // What a new service is reached by is told with it; that it may be was judged at synth, where the stack knows rules.
    const opened = old || !described ? [...ports(now, { chosen: Boolean(old) })].filter((port) => !open.has(port)) : [];
    const secrets = [...secretTexts(now)].filter((one) => !known.has(one));
    return [
      ...[...privileges(after?.shown)]
        .filter((one) => !had.has(one))
        .map((one): Finding => {
          const problem = `reaches onto its machine: ${one}`;
          return { finding: "privilege-gained", ...at, problem, remedy: "take it out; only a CSI plugin needs it" };
        }),
      ...opened.map((port): Finding => {
        const remedy = "close it, unless everybody on the network may reach it";
        return { finding: "port-exposed", ...at, problem: `opens ${port}`, remedy };
      }),
      ...secrets.map((one): Finding => {
        const problem = `holds ${one}, in clear in the plan, the state and this pull request`;
        const remedy =
          "put it into a Nomad variable, read it in a template with nomadVar, and replace it, since it is known";
        return { finding: "secret-in-job", ...at, problem, remedy };
      }),
    ];
  });
}

/** What reaches out of the containers of a job, by task and option. */
function privileges(job: Job | undefined): Set<string> {
  if (!job) return new Set();
  const found = job.TaskGroups.flatMap((group) => {
    const isPlugin = (task: Task) => isCsiPlugin({ job, group, task });
    return [
      ...(group.Networks ?? [])
        .filter(({ Mode }) => Mode === "host" && !group.Tasks.some(isPlugin))
        .map(() => `group ${group.Name}, the host's network`),
      ...group.Tasks.filter((task) => !isPlugin(task)).flatMap((task) => {
        const options = Object.entries(privilegesOf(task.Config)).flatMap(([option, values]) =>
          values.map((value) => `task ${task.Name}, ${option} = ${value}`),
        );
        const user = runsAsRoot(task) ? [`task ${task.Name}, user ${task.User}`] : [];
        const network = task.Config.network_mode === "host" ? [`task ${task.Name}, the host's network`] : [];
        const driver = `${task.Driver ?? "docker"}`;
        const outside = driver === "docker" ? [] : [`task ${task.Name}, a program outside of Docker (${driver})`];
        return [...options, ...user, ...network, ...outside];
      }),
    ];
  });
  return new Set(found);
}

/** Ports of the machine that a job takes, with or without those that Nomad chooses. */
function ports({ TaskGroups }: Job, { chosen } = { chosen: true }): Set<string> {
  const networks = TaskGroups.flatMap(({ Networks = [], Tasks }) => [
    ...Networks,
    ...Tasks.flatMap(({ Resources }) => Resources?.Networks ?? []),
  ]);
  return new Set(
    networks.flatMap(({ ReservedPorts = [], DynamicPorts = [] }) => [
      ...ReservedPorts.map(({ Label, Value }) => `port ${Value} of its machine (${Label})`),
      ...(chosen ? DynamicPorts : []).map(({ Label }) => `a port of its machine that Nomad chooses (${Label})`),
    ]),
  );
}

/** Where something looks like a secret. Never the secret: what is said of it is its kind. */
function secretTexts(job: Job): Set<string> {
  return new Set(secretsOf(job).map(([place, what]) => `${what} at ${place}`));
}
