import { breach } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Rule } from "./rule";
import { callsOf } from "./template-calls";

/** Functions that end in an error: by purpose, when something is missing, or because Nomad's clients deny them. */
const FAILING = ["fail", "sprig_fail", "mustEnv", "executeTemplate", "plugin", "writeToFile"];

/**
 * A template that fails kills its task, and no restart policy brings it back.
 *
 * @see https://github.com/hashicorp/nomad/issues/12803
 */
export const noErrorTemplates = {
  name: "no-error-templates",
  statement: "no template can fail, because Nomad then kills its task for good",
  check: (homelab) =>
    tasksOf(homelab).flatMap((place) =>
      (place.task.Templates ?? []).flatMap((template) => [
        ...callsOf(template, FAILING).flatMap(({ name }) =>
          breach(true, place, `Templates[${template.DestPath}].EmbeddedTmpl`, {
            value: name,
            problem: "ends in an error, and then Nomad kills the task and never starts it again",
            remedy: "render a line that the program refuses to start with, and let it be restarted",
          }),
        ),
        ...breach(template.ErrMissingKey === true, place, `Templates[${template.DestPath}].ErrMissingKey`, {
          value: "true",
          problem: "a missing key is an error, and then Nomad kills the task and never starts it again",
          remedy: "take ErrMissingKey out, and read the key with `with (index … )`",
        }),
      ]),
    ),
} as const satisfies Rule;
