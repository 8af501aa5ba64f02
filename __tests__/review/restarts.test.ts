import type { Job } from "../../.gen/nomad/job";
import { changedPaths } from "../../review/diff";
import { expectedOutcomes } from "../../review/restarts";
import { homelabWith, minutes, seconds } from "../rules/homelab";
import type { JobEdit } from "./plans";

/** What is expected of the only group of a job after an edit. */
function outcome(edit: JobEdit, before: JobEdit = () => {}) {
  const [from, to] = [0, 1].map((changed) => {
    const [record] = homelabWith(({ bitcoin }) => {
      before(bitcoin.task, bitcoin.group, bitcoin.job);
      if (changed) edit(bitcoin.task, bitcoin.group, bitcoin.job);
    }).jobs;
    return JSON.parse(JSON.stringify(record?.job)) as Job;
  }) as [Job, Job];
  return expectedOutcomes(from, to, changedPaths(from, to)).map(({ outcome, ifMachineSuits }) =>
    ifMachineSuits ? `${outcome} if its machine suits` : outcome,
  );
}

const set =
  (pick: (...args: Parameters<JobEdit>) => object | undefined, values: object): JobEdit =>
  (...args) =>
    Object.assign(pick(...args) ?? {}, values);
const task = (values: object) => set((task) => task, values);
const group = (values: object) => set((_, group) => group, values);
const job = (values: object) => set((_, __, job) => job, values);
const port = (values: object) => set((_, { Networks }) => Networks?.[0]?.ReservedPorts?.[0], values);

/** @see https://github.com/hashicorp/nomad/blob/v2.0.5/scheduler/util.go `tasksUpdated` */
describe("Nomad is expected", () => {
  test.each<[string, JobEdit]>([
    ["the image", set(({ Config }) => Config, { image: "x:2" })],
    ["an option of Docker", set(({ Config }) => Config, { force_pull: true })],
    ["a variable", task({ Env: { A: "b" } })],
    ["the user", task({ User: "0" })],
    ["a template", set(({ Templates }) => Templates?.[0], { EmbeddedTmpl: "x" })],
    [
      "the mode of a template",
      set(({ Templates }) => Templates?.[0], { ChangeMode: "signal", ChangeSignal: "SIGHUP" }),
    ],
    ["CPU", set(({ Resources }) => Resources, { CPU: 1 })],
    ["memory", set(({ Resources }) => Resources, { MemoryMB: 1 })],
    ["the ceiling", set(({ Resources }) => Resources, { MemoryMaxMB: 9999 })],
    ["a mount", task({ VolumeMounts: [] })],
    ["metadata of the job", job({ Meta: { version: "2" } })],
    ["metadata of the group", group({ Meta: { a: "b" } })],
    ["metadata of the task", task({ Meta: { a: "b" } })],
    ["the number of a static port", port({ Value: 9999 })],
    ["the port inside", port({ To: 9999 })],
    ["a volume", group({ Volumes: {} })],
    ["the disk", group({ EphemeralDisk: { SizeMB: 999 } })],
    ["a task more", (task, { Tasks }) => Tasks.push({ ...task, Name: "more" })],
    ["a task less", (_, { Tasks }) => Tasks.pop()],
    ["no log", task({ LogConfig: { Disabled: true } })],
    ["an artifact", task({ Artifacts: [{ GetterSource: "https://example.org/x" }] })],
  ])("to restart for %s", (_, edit) => {
    expect(outcome(edit)).toEqual(["restarts"]);
  });

  test.each<[string, JobEdit]>([
    ["the clock's", job({ Type: "batch", Periodic: { Enabled: true, SpecType: "cron", Spec: "7 * * * *" } })],
    ["one that is dispatched", job({ Type: "batch", ParameterizedJob: { MetaRequired: ["set"] } })],
  ])("to touch nothing that runs when a job is %s: its next run is another", (_, kind) => {
    expect(
      outcome(
        set(({ Config }) => Config, { image: "x:2" }),
        kind,
      ),
    ).toEqual(["next run"]);
    expect(outcome(job({ Meta: { version: "2" } }), kind)).toEqual(["next run"]);
    expect(outcome(() => {}, kind)).toEqual([]);
  });

  test.each<[string, JobEdit]>([
    ["the kill timeout", task({ KillTimeout: minutes(9) })],
    ["the kill signal", task({ KillSignal: "SIGINT" })],
    ["a delay before the stop", task({ ShutdownDelay: seconds(9) })],
    ["the size of the log", task({ LogConfig: { MaxFiles: 9 } })],
    ["the update strategy", group({ Update: { AutoRevert: true } })],
    ["the fence", group({ Disconnect: undefined })],
    ["the restart policy", group({ RestartPolicy: { Attempts: 9 } })],
    ["a check", set((_, { Services }) => Services?.[0]?.Checks?.[0], { Interval: seconds(99) })],
    ["a service", group({ Services: [] })],
    ["the priority", job({ Priority: 99 })],
    ["metadata that stays the same under another order", job({ Priority: 99, Meta: undefined })],
  ])("to change %s in place", (_, edit) => {
    expect(outcome(edit)).toEqual(["in place"]);
  });

  test("to change where a job may run in place, unless its machine is none of those", () => {
    expect(outcome(job({ Datacenters: ["elsewhere"] }))).toEqual(["in place if its machine suits"]);
    const constraint = { LTarget: "${attr.cpu.arch}", RTarget: "arm64", Operand: "=" };
    expect(outcome(group({ Constraints: [constraint] }))).toEqual(["in place if its machine suits"]);
  });

  test("to start or stop instances for another count, and groups that come or go", () => {
    expect(outcome(group({ Count: 2 }))).toEqual(["starts"]);
    expect(outcome(group({ Count: 0 }))).toEqual(["stops"]);
    expect(outcome((_, one, { TaskGroups }) => TaskGroups.push({ ...one, Name: "more" }))).toEqual(["starts"]);
    expect(outcome((_, __, { TaskGroups }) => TaskGroups.pop())).toEqual(["stops"]);
  });

  test("to do nothing for what it fills in itself when it is written out", () => {
    expect(
      outcome((task, group, job) => {
        Object.assign(job, { Priority: 50, Region: "global", NodePool: "default", Datacenters: ["*"] });
        Object.assign(group, { Count: 1, EphemeralDisk: { SizeMB: 300 } });
        Object.assign(task, {
          LogConfig: { MaxFiles: 10, MaxFileSizeMB: 10 },
          Meta: {},
          Artifacts: [],
          KillSignal: "",
        });
      }),
    ).toEqual([]);
  });
});
