import type { DockerConfig } from "../.gen/nomad/docker-config";
import { type TaskPlace, tasksOf } from "../model/homelab";
import { isCsiPlugin } from "../model/places";
import type { Finding, Rule } from "./rule";
import { breach } from "./shared/breach";

/** A path of the machine itself; one relative to the task's folder stays inside of the allocation. */
function isHostPath(source = ""): boolean {
  return /^[/~]|(?:^|\/)\.\.(?:\/|$)|\$\{/.test(source);
}

/** The members of an option. Another driver than Docker has options of its own form under the same name. */
function members<T>(option: readonly T[] | undefined): readonly T[] {
  return Array.isArray(option) ? option.filter((member) => member !== null && member !== undefined) : [];
}

/** What gives a container more than its own, by option. */
export function privilegesOf(config: DockerConfig): Record<string, readonly string[]> {
  const { volume_driver } = config;
  const mounts = (["mount", "mounts"] as const).map((list) => {
    const reaching = members(config[list]).filter(
      // Nomad writes what HCL has as a block as a list of one.
      ({ type, source, volume_options }) =>
        [volume_options].flat().some((options) => options?.driver_config) || (type === "bind" && isHostPath(source)),
    );
    return [list, reaching.map(({ source, target }) => `${source ?? "a volume plugin"} at ${target}`)] as const;
  });
  const spaces = (["pid_mode", "ipc_mode", "userns_mode", "uts_mode", "cgroupns"] as const).map((space) => {
    const mode = `${config[space] ?? ""}`;
    return [space, mode === "host" || mode.startsWith("container:") ? [mode] : []] as const;
  });
  return {
    privileged: config.privileged ? ["true"] : [],
    cap_add: members(config.cap_add),
    devices: members(config.devices).map((device) => (typeof device === "string" ? device : `${device.host_path}`)),
    security_opt: members(config.security_opt).filter((option) =>
      /unconfined|disable|new-privileges[:=]false/.test(option),
    ),
    volumes: members(config.volumes).filter((bind) => isHostPath(`${bind}`.split(":")[0])),
    volume_driver: volume_driver ? [volume_driver] : [],
    ...Object.fromEntries([...spaces, ...mounts]),
  };
}

/** What runs without Docker runs on the machine itself: `raw_exec` as root, and `exec` with a root file system it shares. */
function judgeDriver(place: TaskPlace): Finding[] {
  const { Driver } = place.task;
  return breach(Driver !== "docker", place, "Driver", {
    value: Driver || "not set",
    problem: "runs the program outside of Docker, where no other rule sees what it may do",
    remedy: 'set Driver to "docker", and Config.image to an image that has the program',
  });
}

/** @see https://developer.hashicorp.com/nomad/docs/job-declare/task-driver/docker */
export const privileged = {
  name: "privileged",
  statement:
    "every task runs in Docker, and only a CSI plugin has privileges, namespaces, devices or paths of the machine",
  check: (homelab) => [
    ...tasksOf(homelab).flatMap(judgeDriver),
    ...tasksOf(homelab)
      .filter((place) => !isCsiPlugin(place))
      .flatMap((place) =>
        Object.entries(privilegesOf(place.task.Config)).flatMap(([option, values]) =>
          values.flatMap((value) =>
            breach(true, place, `Config.${option}`, {
              value,
              problem: "reaches out of the container onto the machine, which only a CSI plugin may",
              remedy: `take it out of ${option}`,
            }),
          ),
        ),
      ),
  ],
} as const satisfies Rule;
