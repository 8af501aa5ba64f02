import type { DockerConfig } from "../.gen/nomad/docker-config";
import { fieldOf } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Rule } from "./rule";

/** A path of the machine itself; one relative to the task's folder stays inside of the allocation. */
function isHostPath(source: string | undefined): boolean {
  return source !== undefined && /^[/~]|(?:^|\/)\.\.(?:\/|$)|\$\{/.test(source);
}

/** What gives a container more than its own: option and value. */
function privilegesOf(config: DockerConfig): [keyof DockerConfig, string][] {
  const { cap_add = [], devices = [], security_opt = [], volumes = [], volume_driver } = config;
  const spaces = ["pid_mode", "ipc_mode", "userns_mode", "uts_mode", "cgroupns"] as const;
  const shared = spaces.flatMap((space): [keyof DockerConfig, string][] => {
    const mode = config[space] ?? "";
    return mode === "host" || mode.startsWith("container:") ? [[space, mode]] : [];
  });
  const mounts = (["mount", "mounts"] as const).flatMap((list) =>
    (config[list] ?? [])
      .filter(
        ({ type, source, volume_options }) => volume_options?.driver_config || (type === "bind" && isHostPath(source)),
      )
      .map(({ source, target }): [keyof DockerConfig, string] => [list, `${source ?? "a volume plugin"} at ${target}`]),
  );
  return [
    ...(config.privileged ? [["privileged", "true"] as [keyof DockerConfig, string]] : []),
    ...cap_add.map((capability): [keyof DockerConfig, string] => ["cap_add", capability]),
    ...shared,
    ...devices.map(({ host_path }): [keyof DockerConfig, string] => ["devices", host_path]),
    ...security_opt
      .filter((option) => /unconfined|disable|no-new-privileges[:=]false/.test(option))
      .map((option): [keyof DockerConfig, string] => ["security_opt", option]),
    ...volumes
      .filter((bind) => isHostPath(bind.split(":")[0]))
      .map((bind): [keyof DockerConfig, string] => ["volumes", bind]),
    ...mounts,
    ...(volume_driver ? [["volume_driver", volume_driver] as [keyof DockerConfig, string]] : []),
  ];
}

/** @see https://developer.hashicorp.com/nomad/docs/job-declare/task-driver/docker */
export const privileged = {
  name: "privileged",
  statement: "only a CSI plugin has privileges, namespaces, devices or paths of the machine",
  check: (homelab) =>
    tasksOf(homelab)
      .filter(({ task }) => !task.CSIPluginConfig)
      .flatMap((place) =>
        privilegesOf(place.task.Config).map(([option, value]) => ({
          path: place.record.path,
          place: fieldOf(place, `Config.${option}`),
          value,
          problem: "reaches out of the container onto the machine, which only a CSI plugin may",
          remedy: `take it out of ${option}`,
        })),
      ),
} as const satisfies Rule;
