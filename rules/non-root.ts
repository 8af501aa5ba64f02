import { tasksOf } from "../model/homelab";
import { isCsiPlugin, runsAsRoot } from "../model/places";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Without `User` it is the image that decides, and most images say root. A CSI plugin mounts, which only root may. */
export const nonRoot = {
  name: "non-root",
  statement: "every task but a CSI plugin says which user it runs as, and that is not root",
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) => {
      const { User = "" } = place.task;
      const mayBeRoot = User === "" || User.startsWith(":") || runsAsRoot(place.task);
      return breach(!isCsiPlugin(place) && mayBeRoot, place, "User", {
        value: User || "not set",
        problem: "the program may run as root, and whoever breaks into it is root on the NAS's files too",
        remedy: 'set User to the owner of its data, such as "3001:3001"',
      });
    }),
} as const satisfies Rule;
