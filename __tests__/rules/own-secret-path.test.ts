import type { Template } from "../../.gen/nomad/job";
import { identityTemplate } from "../../model/identity";
import { ownSecretPath } from "../../rules/own-secret-path";
import { findings, places } from "./homelab";

const OWN = "nomad/jobs/electrs/electrs/electrs";

const withTemplate = (text: string, more: Partial<Template> = {}) =>
  places(ownSecretPath, ({ electrs }) => {
    electrs.task.Templates = [{ DestPath: "secrets/x", EmbeddedTmpl: text, ...more }];
  });

describe(ownSecretPath.statement, () => {
  const at = "homelab/electrs TaskGroups[electrs].Tasks[electrs].Templates[secrets/x]";

  test.each([
    `{{ with nomadVar "${OWN}" }}{{ .password }}{{ end }}`,
    `{{- (nomadVar "${OWN}").password -}}`,
    `{{ with (index (nomadVar \`${OWN}\`) "password").Value }}{{ . }}{{ end }}`,
    `{{ if nomadVarExists "${OWN}" }}x{{ end }}`,
    '{{/* nomadVar "nomad/jobs" */}}',
    '{{ "a string that says nomadVar x" }}',
    'text that says nomadVar "nomad/jobs"',
    "{{ .nomadVar }}",
    '{{ nomadVar "an action that is never closed',
  ])("%s passes", (text) => {
    expect(withTemplate(text)).toEqual([]);
  });

  test.each([
    "nomad/jobs",
    "nomad/jobs/electrs",
    "nomad/jobs/electrs/electrs",
    "nomad/jobs/bitcoin/bitcoin/bitcoin",
    "nomad/jobs/electrs/electrs/electrs2",
    `${OWN}/`,
    `${OWN}@default`,
    "shared/secret",
  ])("%s is refused", (path) => {
    expect(withTemplate(`{{ with nomadVar "${path}" }}{{ .x }}{{ end }}`)).toEqual([`${at} = nomadVar "${path}"`]);
  });

  test.each(["nomadVarList", "nomadVarListSafe", "nomadVarExists"])("%s is held to the same path", (name) => {
    expect(withTemplate(`{{ range ${name} "nomad/jobs/electrs" }}{{ end }}`)).toEqual([
      `${at} = ${name} "nomad/jobs/electrs"`,
    ]);
    expect(withTemplate(`{{ range ${name} }}{{ end }}`)).toEqual([`${at} = ${name} (computed)`]);
  });

  test.each([
    `{{ with nomadVar (printf "nomad/jobs/%s" "electrs/electrs/electrs") }}{{ end }}`,
    `{{ $path := "${OWN}" }}{{ with nomadVar $path }}{{ end }}`,
    `{{ with "${OWN}" | nomadVar }}{{ end }}`,
    `{{ with nomadVar ("${OWN}") }}{{ end }}`,
    '{{ with nomadVar (env "NOMAD_META_path") }}{{ end }}',
  ])("a computed path is refused: %s", (text) => {
    expect(withTemplate(text)).toEqual([`${at} = nomadVar (computed)`]);
  });

  test("it is found behind other delimiters, and behind a string with the closing one", () => {
    expect(
      withTemplate('[[ with nomadVar "nomad/jobs" ]][[ end ]]', { LeftDelim: "[[", RightDelim: "]]" }),
    ).toHaveLength(1);
    expect(withTemplate('{{ print "}}" (nomadVar "nomad/jobs").x }}')).toHaveLength(1);
    expect(withTemplate("{{ print '\"' (nomadVar `nomad/jobs`).x -}}")).toHaveLength(1);
    expect(withTemplate('{{/* an " odd quote }} */}}{{ nomadVar "nomad/jobs" }}')).toHaveLength(1);
  });

  test("a template that comes to the machine later cannot be checked", () => {
    expect(withTemplate("", { SourcePath: "local/x.tpl" })).toEqual([`${at}.SourcePath = the file (computed)`]);
  });

  test("a secret block is held to the same path", () => {
    const withSecret = (Path: string, Provider = "nomad") =>
      places(ownSecretPath, ({ electrs }) => {
        electrs.task.Secrets = [{ Name: "db", Provider, Path }];
      });
    expect(withSecret("nomad/jobs/electrs")).toEqual([
      'homelab/electrs TaskGroups[electrs].Tasks[electrs].Secrets[db].Path = secret "nomad/jobs/electrs"',
    ]);
    expect(withSecret(OWN)).toEqual([]);
    expect(withSecret("secret/data/x", "vault")).toEqual([]);
  });

  test("the job's ID counts, not its name, and a shorter path is explained", () => {
    const [found] = findings(ownSecretPath, ({ electrs: { job, task } }) => {
      job.Name = "other";
      task.Templates = [
        { DestPath: "secrets/x", EmbeddedTmpl: `{{ nomadVar "nomad/jobs/electrs" }}{{ nomadVar "${OWN}" }}` },
      ];
    });
    expect(found).toMatchObject({
      problem: expect.stringContaining("every task below"),
      remedy: expect.stringContaining(OWN),
    });
  });

  test("the homelab's identity passes, which is no secret; nothing else that is read from there does", () => {
    const identity = identityTemplate("electrs").EmbeddedTmpl ?? "";
    expect(withTemplate(identity)).toEqual([]);
    expect(withTemplate(identityTemplate("albyhub").EmbeddedTmpl ?? "")).toHaveLength(2);
    expect(withTemplate(`${identity}{{ with nomadVar "nomad/jobs/electrs" }}{{ .password }}{{ end }}`)).toHaveLength(3);
  });
});
