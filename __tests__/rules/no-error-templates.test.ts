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

  test.each([
    "parseInt",
    "parseBool",
    "parseJSON",
    "parseYAML",
    "base64Decode",
    "base64URLDecode",
    "divide",
    "slice",
    "sprig_mustFromJson",
    "sprig_mustToDate",
    "sprig_semver",
    "sprig_urlParse",
    "sprig_substr",
  ])("%s is refused, since a value may be none for it", (name) => {
    expect(withTemplate({ EmbeddedTmpl: `{{ ${name} .x }}` })).toEqual([`${at}.EmbeddedTmpl = ${name}`]);
    expect(withTemplate({ EmbeddedTmpl: `{{ with .x }}{{- . | ${name} -}}{{ end }}` })).toEqual([
      `${at}.EmbeddedTmpl = ${name}`,
    ]);
  });

  test.each([
    "toJSON",
    "toYAML",
    "toLower",
    "base64Encode",
    "join",
    "split",
    "sprig_fromJson",
    "sprig_toJson",
    "sprig_b64dec",
  ])("%s passes, since it fails for no value", (name) => {
    expect(withTemplate({ EmbeddedTmpl: `{{ .x | ${name} }}` })).toEqual([]);
  });

  test.each([
    ['{{ (index (nomadService "bitcoin-rpc") 0).Address }}', 'index ( nomadService "bitcoin-rpc" ) 0'],
    ['{{ with index (nomadService 1 (env "X") "a") 0 }}{{ end }}', 'index ( nomadService 1 ( env "X" ) "a" ) 0'],
    ['{{ index (nomadService "a") "b" }}', 'index ( nomadService "a" ) "b"'],
    ["{{ (index nomadServices 1).Name }}", "index nomadServices 1"],
    ['{{ $all := nomadService "a" }}{{ (index $all 0).Port }}', "index $all 0"],
    ['{{ with nomadService "a" }}{{ (index . 1).Port }}{{ end }}', "index . 1"],
    ['{{ range nomadService "a" }}{{ index .Tags 0 }}{{ end }}', "index .Tags 0"],
    ['{{ 0 | index (nomadService "a") }}', 'index ( nomadService "a" )'],
  ])("%s is refused, since a list may be empty", (text, call) => {
    expect(withTemplate({ EmbeddedTmpl: text })).toEqual([`${at}.EmbeddedTmpl = ${call}`]);
  });

  test.each([
    '{{ with (index (nomadVar "a/b") "c").Value }}{{ . }}{{ end }}',
    '{{ with nomadVar "a/b" }}{{ (index . "c").Value }}{{ end }}',
    '{{ $key := "c" }}{{ index (nomadVar "a/b") $key }}',
    '{{ range nomadService "a" }}{{ .Address }}{{ end }}',
    '{{ range $index, $one := nomadService "a" }}{{ $index }}{{ $one.Port }}{{ end }}',
    '{{ len (nomadService "a") }}',
  ])("%s passes, since it has a value or renders nothing", (text) => {
    expect(withTemplate({ EmbeddedTmpl: text })).toEqual([]);
  });

  test("an error on a missing key is refused", () => {
    expect(withTemplate({ EmbeddedTmpl: "x", ErrMissingKey: true })).toEqual([`${at}.ErrMissingKey = true`]);
    expect(withTemplate({ EmbeddedTmpl: "x", ErrMissingKey: false })).toEqual([]);
  });

  test.each([
    "exit 1 # fail",
    '{{ "fail" }}',
    "{{ .fail }}",
    "{{ .parseInt }}",
    "index x 0",
    '{{ env "X" }}',
    '{{ envOrDefault "fail" "x" }}',
  ])("%s passes", (text) => {
    expect(withTemplate({ EmbeddedTmpl: text })).toEqual([]);
  });
});
