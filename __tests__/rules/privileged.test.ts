import type { DockerConfig } from "../../.gen/nomad/docker-config";
import { privileged } from "../../rules/privileged";
import { type Draft, findings, places } from "./homelab";

const withConfig = (config: Partial<DockerConfig>) =>
  places(privileged, ({ electrs }) => void Object.assign(electrs.task.Config, config));

describe(privileged.statement, () => {
  test.each<[string, Partial<DockerConfig>]>([
    ["privileged = true", { privileged: true }],
    ["cap_add = net_admin", { cap_add: ["net_admin"] }],
    ["pid_mode = host", { pid_mode: "host" }],
    ["pid_mode = container:x", { pid_mode: "container:x" }],
    ["ipc_mode = host", { ipc_mode: "host" }],
    ["userns_mode = host", { userns_mode: "host" }],
    ["uts_mode = host", { uts_mode: "host" }],
    ["cgroupns = host", { cgroupns: "host" }],
    ["devices = /dev/sda", { devices: [{ host_path: "/dev/sda" }] }],
    ["volumes = /etc:/etc:ro", { volumes: ["/etc:/etc:ro"] }],
    ["volumes = local/../../../x:/x", { volumes: ["local/../../../x:/x"] }],
    ["volumes = ${meta.disk}:/x", { volumes: ["${meta.disk}:/x"] }],
    ["volume_driver = pxd", { volume_driver: "pxd" }],
    ["mount = /var/run/docker.sock at /d", { mount: [{ type: "bind", source: "/var/run/docker.sock", target: "/d" }] }],
    ["mounts = ../x at /x", { mounts: [{ type: "bind", source: "../x", target: "/x" }] }],
    [
      "mount = disk at /x",
      {
        mount: [{ type: "volume", source: "disk", target: "/x", volume_options: { driver_config: { name: "local" } } }],
      },
    ],
    ["security_opt = seccomp=unconfined", { security_opt: ["seccomp=unconfined"] }],
    ["security_opt = label=disable", { security_opt: ["label=disable"] }],
    ["security_opt = no-new-privileges=false", { security_opt: ["no-new-privileges=false"] }],
  ])("%s is refused in a service", (told, config) => {
    expect(withConfig(config)).toEqual([`homelab/electrs TaskGroups[electrs].Tasks[electrs].Config.${told}`]);
  });

  test.each<[string, Partial<DockerConfig>]>([
    ["privileged = false", { privileged: false }],
    ["capabilities dropped", { cap_drop: ["all"], cap_add: [] }],
    ["a namespace of its own", { ipc_mode: "private", cgroupns: "private" }],
    ["a folder of the task", { volumes: ["local/www:/www:ro"] }],
    ["a bind of the task's folder", { mount: [{ type: "bind", source: "local/a..b", target: "/b" }] }],
    ["memory", { mounts: [{ type: "tmpfs", target: "/tmp" }] }],
    ["hardening", { security_opt: ["no-new-privileges", "seccomp=profile.json"] }],
  ])("%s passes", (_, config) => {
    expect(withConfig(config)).toEqual([]);
  });

  describe("a service that calls itself a plugin is none", () => {
    const pretending = (change: (draft: Draft) => void) =>
      places(privileged, (draft) => {
        draft.electrs.task.CSIPluginConfig = { ID: "nfs", Type: "node" };
        draft.electrs.task.Config.privileged = true;
        change(draft);
      });
    const told = ["homelab/electrs TaskGroups[electrs].Tasks[electrs].Config.privileged = true"];

    test("as it has a volume", () => {
      expect(pretending(({ electrs }) => void delete electrs.group.Services)).toEqual(told);
    });

    test("as it is a service, of its group or of its task", () => {
      expect(pretending(({ electrs }) => void delete electrs.group.Volumes)).toEqual(told);
      expect(
        pretending(({ electrs: { group, task } }) => {
          delete group.Volumes;
          task.Services = group.Services;
          delete group.Services;
        }),
      ).toEqual(told);
    });

    test("and without either it is one", () => {
      expect(
        pretending(({ electrs: { group } }) => {
          group.Volumes = {};
          group.Services = [];
        }),
      ).toEqual([]);
    });
  });

  test.each(["raw_exec", "exec", "podman", ""])("the driver %j is refused, in a service and in a plugin", (driver) => {
    for (const path of ["electrs", "node"] as const) {
      const found = findings(privileged, (draft) => {
        draft[path].task.Driver = driver as "docker";
      });
      expect(found).toEqual([expect.objectContaining({ place: expect.stringMatching(/\.Driver$/) })]);
    }
  });

  test("a task beside a plugin is no plugin", () => {
    const found = places(
      privileged,
      ({ node: { group, task } }) => void group.Tasks.push({ ...task, Name: "other", CSIPluginConfig: undefined }),
    );
    expect(found).toEqual(["homelab/csi-nfs/node TaskGroups[node].Tasks[other].Config.privileged = true"]);
  });
});
