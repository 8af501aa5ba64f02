import type { Rule } from "./rule";
import { breach } from "./shared/breach";
import { providersOf } from "./shared/service-names";

/**
 * Who asks for a name gets any of its instances, so two providers are mixed at random: an address of one is used with a
 * port or a password of the other.
 */
export const oneProvider = {
  name: "one-provider",
  statement: "the name of a service is registered once in its namespace: by one service of one group",
  check: (homelab) => {
    const providers = providersOf(homelab);
    return providers.flatMap(({ at, field, name, key }, index) => {
      const first = providers.slice(0, index).find((one) => one.key === key);
      return breach(first !== undefined, at, field, {
        value: name,
        problem: `is registered by ${first?.at.record.path} (${first?.at.group.Name}) already, and who asks for it gets either`,
        remedy: "give one of them another name, or take it out",
      });
    });
  },
} as const satisfies Rule;
