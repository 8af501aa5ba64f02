import type { Task } from "../.gen/nomad/job";
import { guessContents } from "../model/guess-contents";
import { type Homelab, type TaskPlace, tasksOf, volumeOf } from "../model/homelab";
import { identify } from "../model/versions";
import { functionsIn } from "../nomad/template-calls";
import type { Rule } from "./rule";
import { breach } from "./shared/breach";

/** Functions whose result is the same as long as the instance lives. */
const CONSTANT =
  /^(?:if|else|end|with|range|define|block|template|break|continue|not|and|or|eq|ne|lt|le|gt|ge|len|index|slice|printf?|println|env|envOrDefault|mustEnv|true|false|nil|base64(?:URL)?(?:Decode|Encode)|hmacSHA256Hex|md5sum|sha256Hex|to(?:JSON|JSONPretty|Lower|Title|Upper|TOML|YAML|UnescapedJSON|UnescapedJSONPretty)|parse(?:Bool|Float|Int|JSON|Uint|YAML)|join|split|splitToMap|trim|trimPrefix|trimSuffix|trimSpace|replaceAll|regexMatch|regexReplaceAll|indent|add|subtract|multiply|divide|modulo|minimum|maximum|loop|contains\w*|in|sprig_\w+|helper_\w+|html|js|urlquery|call|explode|explodeMap|mergeMap|mergeMapWithOverride|executeTemplate)$/;

/** Nomad's default, `restart`, counts as well: a blip of a service, or one written variable, would act on the writer. */
export const changeMode = {
  name: "change-mode",
  statement: "no template restarts, signals or runs a script in a task that writes the chain or funds",
  check: (homelab) =>
    tasksOf(homelab)
      .filter((place) => writesPrecious(homelab, place))
      .flatMap((place) => [
        ...tokensOf(place.task).flatMap(([field, ChangeMode]) =>
          breach(ChangeMode !== undefined && ChangeMode !== "" && ChangeMode !== "noop", place, `${field}.ChangeMode`, {
            value: ChangeMode ?? "",
            problem: "whenever its token is renewed, it acts on the task that writes the chain or funds",
            remedy: 'set ChangeMode to "noop"',
          }),
        ),
        ...(place.task.Templates ?? []).flatMap((template) => {
          const { ChangeMode, DestPath } = template;
          // What a file says that comes later, nobody can read here.
          const changes = !!template.SourcePath || functionsIn(template).some((name) => !CONSTANT.test(name));
          return breach(changes && ChangeMode !== "noop", place, `Templates[${DestPath}].ChangeMode`, {
            value: ChangeMode ?? "not set (Nomad's default is restart)",
            problem: "whenever what it reads changes, it acts on the task that writes the chain or funds",
            remedy: 'set ChangeMode to "noop", and restart the service when it suits',
          });
        }),
      ]),
} as const satisfies Rule;

/** Tokens that Nomad renews, and what it does then; Vault's default is `restart`. */
function tokensOf({ Identity, Identities = [], Vault }: Task): (readonly [field: string, mode: string | undefined])[] {
  return [
    ...[...(Identity ? [Identity] : []), ...Identities].map(
      (one) => [`Identities[${one.Name ?? ""}]`, one.ChangeMode] as const,
    ),
    ...(Vault ? [["Vault", Vault.ChangeMode ?? "restart"] as const] : []),
  ];
}

function writesPrecious(homelab: Homelab, { record, job, group, task }: TaskPlace): boolean {
  const mounted = (task.VolumeMounts ?? []).filter(({ ReadOnly }) => ReadOnly !== true);
  const contents = mounted.flatMap(({ Volume }) => {
    const request = group.Volumes?.[Volume];
    if (!request || request.ReadOnly === true) return [];
    const { Source = "" } = request;
    return [volumeOf(homelab, job, Source)?.holds ?? guessContents(Source, job.Namespace, [{ job }])];
  });
  if (contents.some((holds) => holds === "chain" || holds === "funds")) return true;
  // A program of these has its data somewhere, whatever its job says of volumes.
  const program = identify({ record, job, task }, task.Config.image ?? "")?.program;
  return program === "Bitcoin Core" || program === "Alby Hub";
}
