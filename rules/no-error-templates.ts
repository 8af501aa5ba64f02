import { tasksOf } from "../model/homelab";
import { callsOf, type TemplateCall } from "../nomad/template-calls";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Functions that end in an error: by purpose, when something is missing, or because Nomad's clients deny them. */
const FAILING = /^(?:fail|sprig_fail|mustEnv|executeTemplate|plugin|writeToFile)$/;

/**
 * Functions that end in an error when a value is not as they want it; each was seen to. `sprig_fromJson` and `toJSON`,
 * say, never do.
 *
 * @see https://github.com/hashicorp/consul-template/blob/v0.42.1/template/funcs.go
 * @see https://github.com/Masterminds/sprig/blob/v3.3.0/functions.go
 */
const PARTICULAR = [
  /^(?:parse(?:Bool|Float|Int|JSON|Uint|YAML)|base64(?:URL)?Decode|explodeMap|loop|divide|modulo|sockaddr|slice)$/,
  /^sprig_(?:must\w+|semver(?:Compare)?|urlParse|substr|slice|dig|div|mod|decryptAES|buildCustomCert)$/,
];

/** A map has a value for every key, if an empty one; a list ends somewhere, and one of services may be empty at any time. */
function reachesIntoList({ argument, tokens }: TemplateCall): boolean {
  const isOfVariable = tokens[0] === "(" && tokens[1] === "nomadVar";
  return tokens.some((token) => /^nomadServices?$/.test(token)) || (argument === undefined && !isOfVariable);
}

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
      (place.task.Templates ?? []).flatMap((template) => {
        const field = `Templates[${template.DestPath}].EmbeddedTmpl`;
        return [
          ...callsOf(template, FAILING).flatMap(({ name }) =>
            breach(true, place, field, {
              value: name,
              problem: "ends in an error, and then Nomad kills the task and never starts it again",
              remedy: "render a line that the program refuses to start with, and let it be restarted",
            }),
          ),
          ...PARTICULAR.flatMap((functions) => callsOf(template, functions)).flatMap(({ name }) =>
            breach(true, place, field, {
              value: name,
              problem:
                "ends in an error when a value is not as it wants it, and then Nomad kills the task and never starts it again",
              remedy: "render the value as it is, and let the program read it: it refuses a wrong one and is restarted",
            }),
          ),
          ...callsOf(template, ["index"])
            .filter(reachesIntoList)
            .flatMap((call) =>
              breach(true, place, field, {
                value: ["index", ...call.tokens].join(" "),
                problem:
                  "ends in an error when the list is shorter, as one of services is that are gone, and then Nomad kills the task and never starts it again",
                remedy:
                  'use `range`, which does nothing for an empty list; of services, the first is `range nomadService 1 (env "NOMAD_ALLOC_ID") "…"`',
              }),
            ),
          ...breach(template.ErrMissingKey === true, place, `Templates[${template.DestPath}].ErrMissingKey`, {
            value: "true",
            problem: "a missing key is an error, and then Nomad kills the task and never starts it again",
            remedy: "take ErrMissingKey out, and read the key with `with (index … )`",
          }),
        ];
      }),
    ),
} as const satisfies Rule;
