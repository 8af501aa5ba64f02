import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { MINIMUM_NOMAD } from "../model/versions";
import { describeWith } from "./tools";

interface Finding {
  readonly level: "error" | "warning" | "mended";
  readonly check: string;
  readonly found: string;
  readonly remedy: string;
}

const MINIMUM = MINIMUM_NOMAD.version.join(".");

/** What Ansible itself runs on. */
function python(): string {
  const ansible = execFileSync("sh", ["-c", "command -v ansible-inventory"], { encoding: "utf8" }).trim();
  const own = join(dirname(ansible), "python3");
  return spawnSync(own, ["--version"]).status === 0 ? own : "python3";
}

/** See fixtures/ansible/preflight.py. */
function call<T>(task: object): T {
  const program = resolve(__dirname, "fixtures/ansible/preflight.py");
  return JSON.parse(execFileSync(python(), [program, "ansible"], { input: JSON.stringify(task), encoding: "utf8" }));
}

const machine = (task: { machine: string; arguments: unknown[]; files?: object; programs?: object }) =>
  call<{ findings: Finding[]; returned: unknown }>(task);

test("the oldest Nomad is the same for the playbooks as for the rules", () => {
  const variables = parse(readFileSync("ansible/roles/common/vars/main.yml", "utf8"));
  expect(variables.common_nomad_minimum).toBe(MINIMUM);
});

describeWith(["ansible"], "the pre-flight", () => {
  describe("of a kernel that counts no memory", () => {
    const FILE = "/boot/firmware/cmdline.txt";
    const ASKED = "cgroup_enable=memory cgroup_memory=1";
    /** The finding, as `level: found; remedy`. */
    const found = (running: string, file?: string, { counts = false, afterReboot = false } = {}) => {
      const { findings } = machine({
        machine: "memory_cgroup",
        arguments: [{ cmdline_file: FILE, after_reboot: afterReboot }],
        files: {
          "/proc/cmdline": `${running}\n`,
          ...(file !== undefined && { [FILE]: `${file}\n` }),
          "/sys/fs/cgroup/cgroup.controllers": counts ? "cpu io memory pids\n" : "cpu io pids\n",
          "/proc/cgroups": "memory\t0\t60\t0\n",
        },
      });
      return findings.map(({ level, found, remedy }) => `${level}: ${found}; ${remedy}`);
    };

    test("promises to mend what the play mends: a file that asks for nothing", () => {
      for (const file of [
        "console=tty1",
        "cgroup_enable=memory",
        "cgroup_disable=memory console=tty1",
        "x -- cgroup_enable=memory",
      ]) {
        expect(found("cgroup_disable=memory console=tty1", file)).toEqual([
          expect.stringMatching(/^mended: .* nomad_cluster.yml does it$/),
        ]);
      }
    });

    test.each([
      `console=tty1 ${ASKED} cgroup_disable=memory`,
      `${ASKED} cgroup_disable=cpuset,memory`,
      `${ASKED} cgroup-disable=memory quiet`,
      `${ASKED} cgroup_disable="memory"`,
      `${ASKED} cgroup_memory=0`,
      "cgroup_enable=memory cgroup_disable=memory",
    ])("says that nobody mends %s, where the later argument wins", (line) => {
      expect(found(line, line)).toEqual([expect.stringMatching(/^error: .* comes last in .*; take it out .* by hand/)]);
      expect(found(line)).toEqual([
        expect.stringMatching(/^error: .* was started with `cgroup.*there is no .*no playbook/),
      ]);
    });

    test("tells of the next start while this one still counts", () => {
      expect(found(ASKED, `${ASKED} cgroup_disable=memory`, { counts: true })).toEqual([
        expect.stringMatching(/^error: from its next start the kernel counts no memory/),
      ]);
      expect(found(`cgroup_disable=memory ${ASKED}`, ASKED, { counts: true })).toEqual([]);
    });

    test("asks for a restart when the file asks already, and for a kernel when that did not help", () => {
      expect(found("console=tty1", ASKED)).toEqual([expect.stringMatching(/^error: .*; reboot; no playbook does it$/)]);
      expect(found(ASKED, ASKED)).toEqual([
        expect.stringMatching(/^error: .* though it was asked to; install a kernel/),
      ]);
      expect(found(`cgroup_disable=memory ${ASKED}`, ASKED)).toEqual([
        expect.stringMatching(/^error: .*; take `cgroup_disable=memory` out of the boot loader/),
      ]);
    });

    test("promises nothing without the file, nor after the restart that had to mend it", () => {
      expect(found("console=tty1")).toEqual([
        expect.stringMatching(/^error: .* no playbook does it, since there is no/),
      ]);
      expect(found("console=tty1", "console=tty1", { afterReboot: true })).toEqual([expect.stringMatching(/^error: /)]);
    });
  });

  describe("of the containers on a machine", () => {
    const ID = "11111111-2222-3333-4444-555555555555";
    const listed = (docker: [number, string], nomad: string) =>
      machine({
        machine: "containers",
        arguments: [],
        programs: { "docker ps": docker, "systemctl is-active": [0, nomad] },
      });

    test("lists them for the comparison with Nomad's", () => {
      expect(listed([0, `${ID} hub-${ID}\n${ID} nomad_init_${ID}`], "active")).toEqual({
        findings: [],
        returned: [
          { allocation: ID, name: `hub-${ID}`, seen: expect.any(Number) },
          { allocation: ID, name: `nomad_init_${ID}`, seen: expect.any(Number) },
        ],
      });
    });

    test("is an error while Nomad is down or Docker does not answer", () => {
      expect(listed([0, `${ID} hub-${ID}`], "failed").findings).toMatchObject([{ level: "error", check: "orphans" }]);
      expect(listed([1, "no daemon"], "active").findings).toMatchObject([{ level: "error", check: "docker" }]);
    });

    const SEEN = Date.parse("2026-11-28T10:00:00Z") / 1000;
    const node = { NodeName: "pinode1", Namespace: "bitcoin", Name: "albyhub.albyhub[0]" };
    const compare = (host: string, ...allocations: object[]) =>
      call<string[][]>({
        cluster: "orphans",
        arguments: [{ [host]: [{ allocation: ID, name: `hub-${ID}`, seen: SEEN }], pinode4: [] }],
        answers: { allocations },
      }).map(([check, text]) => `${check}: ${text}`);

    test("names what Nomad does not know, has elsewhere, or holds for ended", () => {
      const orphan = `orphans: on pinode1 runs the container hub-${ID} of`;
      const known = { ID, ...node };
      expect(compare("pinode1")).toEqual([`${orphan} allocation 11111111, which Nomad does not know`]);
      expect(compare("pinode1", { ...known, NodeName: "pinode3", ClientStatus: "running" })).toEqual([
        `${orphan} bitcoin/albyhub.albyhub[0] (11111111), which Nomad has on pinode3`,
      ]);
      for (const ClientStatus of ["complete", "failed", "lost"]) {
        expect(compare("pinode1", { ...known, ClientStatus })).toEqual([
          expect.stringContaining(`is ${ClientStatus} to Nomad`),
        ]);
      }
      const states = (FinishedAt: string) => ({ TaskStates: { hub: { FinishedAt }, probe: { FinishedAt: null } } });
      const complete = { ...known, ClientStatus: "complete" };
      expect(compare("pinode1", { ...complete, ...states("2026-11-28T09:58:00.123Z") })).toHaveLength(1);
      expect(compare("pinode1", { ...complete, ...states("2026-11-28T10:00:05Z") })).toEqual([]);
      for (const ClientStatus of ["running", "pending", "unknown"]) {
        expect(compare("pinode1", { ...known, ClientStatus })).toEqual([]);
      }
    });
  });

  test("names agents that are too old or do not tell, and machines of one name that the play does not reach", () => {
    const answers = {
      "agent/members": {
        Members: [
          { Name: "pinode2.global", Status: "alive", Tags: { build: "2.0.4" } },
          { Name: "old.global", Status: "left", Tags: { build: "1.0.0" } },
        ],
      },
      nodes: [
        { ID: "1", Name: "pinode1", Status: "ready", Version: "2.0.5-rc.1" },
        { ID: "3", Name: "pinode3", Status: "ready", Version: "2.1.0" },
        { ID: "4", Name: "pinode4", Status: "ready" },
        { ID: "5", Name: "gone", Status: "down", Version: "1.0.0" },
      ],
      "node/1": { Attributes: { "unique.hostname": "RaspberryPi.lan" } },
      "node/3": { Attributes: { "unique.hostname": "raspberrypi" } },
      "node/4": { Attributes: {} },
    };
    const told = (cluster: string, ...rest: unknown[]) =>
      call<string[][]>({ cluster, arguments: rest, answers }).map(([, text]) => text);
    expect(told("versions", MINIMUM)).toEqual([
      `pinode2.global runs Nomad 2.0.4, not ${MINIMUM} or newer`,
      `pinode1 runs Nomad 2.0.5-rc.1, not ${MINIMUM} or newer`,
      `pinode4 runs Nomad of an unknown release, not ${MINIMUM} or newer`,
    ]);
    expect(told("host_names")).toEqual(["pinode1 and pinode3 have one host name, raspberrypi"]);
  });

  test("refuses machines that call themselves the same, in whatever letters or domain", () => {
    const equal = (names: Record<string, string>) =>
      call<Finding[]>({ filter: "equal_names", arguments: [names] }).map(({ level, found }) => `${level}: ${found}`);
    expect(equal({ pinode1: "raspberrypi", pinode3: "RaspberryPi.lan", pinode4: "pinode4" })).toEqual([
      expect.stringContaining("error: pinode1 and pinode3 have one host name, raspberrypi: NFS takes them for one"),
    ]);
    expect(equal({ "192.168.68.11": "192.168.68.11", "192.168.68.12": "192.168.68.12", a: "b" })).toEqual([]);
  });

  describe("of open files", () => {
    const found = (files: object, version: [number, string] = [0, "29.0.1"]) =>
      machine({
        machine: "open_files",
        arguments: [],
        files,
        programs: { "docker version": version, "systemctl show": [0, "123"] },
      }).findings.map(({ level, found }) => `${level}: ${found}`);
    const limits = (soft: string) => ({ "/proc/123/limits": `Max open files            ${soft}   524288   files\n` });

    test("tells what the engine gives", () => {
      expect(found(limits("1024"))).toEqual([
        "mended: a container of Docker 29.0.1 may open 1024 files, by containerd's own limit, unless its job says otherwise",
      ]);
      expect(found({ "/etc/docker/daemon.json": "{}" })).toEqual([expect.stringMatching(/^mended: nobody tells/)]);
    });

    test("is content with enough of them, by whichever of the two", () => {
      expect(found(limits("1048576"))).toEqual([]);
      expect(found(limits("unlimited"))).toEqual([]);
      const configured = { "default-ulimits": { nofile: { Name: "nofile", Soft: 65536, Hard: 65536 } } };
      expect(found({ ...limits("1024"), "/etc/docker/daemon.json": JSON.stringify(configured) })).toEqual([]);
    });
  });
});
