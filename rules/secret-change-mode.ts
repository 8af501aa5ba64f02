import { tasksOf } from "../model/homelab";
import { callsOf } from "../nomad/template-calls";
import { VARIABLE_FUNCTIONS } from "./own-secret-path";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Left out, the mode is `restart`: a write to one secret would restart bitcoind. */
export const secretChangeMode = {
  name: "secret-change-mode",
  statement: "a template with a secret never restarts its task by itself",
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) =>
      (place.task.Templates ?? []).flatMap((template) => {
        const { ChangeMode, DestPath } = template;
        const holdsSecret = callsOf(template, VARIABLE_FUNCTIONS).length > 0;
        return breach(holdsSecret && ChangeMode !== "noop", place, `Templates[${DestPath}].ChangeMode`, {
          value: ChangeMode ?? "not set (Nomad's default is restart)",
          problem: "writing the secret would act on the running task at once",
          remedy: 'set ChangeMode to "noop", and restart the service when it suits',
        });
      }),
    ),
} as const satisfies Rule;
