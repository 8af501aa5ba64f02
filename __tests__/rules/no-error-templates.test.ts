import type { Template } from "../../.gen/nomad/job";
import { noErrorTemplates } from "../../rules/no-error-templates";
import { places } from "./homelab";

const withTemplate = (template: Partial<Template>) =>
  places(noErrorTemplates, ({ electrs }) => {
    electrs.task.Templates = [{ DestPath: "local/x", ...template }];
  });

describe(noErrorTemplates.statement, () => {
  const at = "homelab/electrs TaskGroups[electrs].Tasks[electrs].Templates[local/x]";

  test.each(["fail", "sprig_fail", "mustEnv", "executeTemplate", "plugin", "writeToFile"])("%s is refused", (name) => {
    expect(withTemplate({ EmbeddedTmpl: `{{ if true }}{{ ${name} "x" }}{{ end }}` })).toEqual([
      `${at}.EmbeddedTmpl = ${name}`,
    ]);
    expect(withTemplate({ EmbeddedTmpl: `{{- with "x" | ${name} }}{{ end }}` })).toEqual([
      `${at}.EmbeddedTmpl = ${name}`,
    ]);
  });

  test("an error on a missing key is refused", () => {
    expect(withTemplate({ EmbeddedTmpl: "x", ErrMissingKey: true })).toEqual([`${at}.ErrMissingKey = true`]);
    expect(withTemplate({ EmbeddedTmpl: "x", ErrMissingKey: false })).toEqual([]);
  });

  test.each(["exit 1 # fail", '{{ "fail" }}', "{{ .fail }}", '{{ env "X" }}', '{{ envOrDefault "fail" "x" }}'])(
    "%s passes",
    (text) => {
      expect(withTemplate({ EmbeddedTmpl: text })).toEqual([]);
    },
  );
});
