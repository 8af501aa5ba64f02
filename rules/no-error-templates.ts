import { fieldOf } from "./anatomy";
import { tasksOf } from "./homelab";
import type { Finding, Rule } from "./rule";
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
      (place.task.Templates ?? []).flatMap((template): Finding[] => {
        const at = (field: string) => ({
          path: place.record.path,
          place: fieldOf(place, `Templates[${template.DestPath}].${field}`),
        });
        const calls = callsOf(template, FAILING).map(({ name }) => ({
          ...at("EmbeddedTmpl"),
          value: name,
          problem: "ends in an error, and then Nomad kills the task and never starts it again",
          remedy: "render a line that the program refuses to start with, and let it be restarted",
        }));
        const missingKey = {
          ...at("ErrMissingKey"),
          value: "true",
          problem: "a missing key is an error, and then Nomad kills the task and never starts it again",
          remedy: "take ErrMissingKey out, and read the key with `with (index … )`",
        };
        return [...calls, ...(template.ErrMissingKey ? [missingKey] : [])];
      }),
    ),
} as const satisfies Rule;
