import { judgeNomad, MINIMUM_NOMAD } from "../model/versions";
import type { Rule } from "./rule";
import { stackPath } from "./shared/breach";

/** The inventory's; `homelab status` and `homelab guard` judge those that run. */
export const nomadVersion = {
  name: "nomad-version",
  statement: `the release of Nomad is ${MINIMUM_NOMAD.version.join(".")} or newer, since an older one can leave a second writer running`,
  check: (homelab) => {
    const { nomadVersion: value } = homelab.cluster;
    const problem = value === undefined ? undefined : judgeNomad(value);
    if (!value || !problem) return [];
    return [
      {
        path: stackPath(homelab),
        place: "nomad_version",
        value,
        problem,
        remedy: `set nomad_version in the inventory to ${MINIMUM_NOMAD.version.join(".")} or newer, and run ansible/playbooks/patch_cluster.yml`,
      },
    ];
  },
} as const satisfies Rule;
