import type { Template } from "../../.gen/nomad/job";
import { secretChangeMode } from "../../rules/secret-change-mode";
import { places } from "./homelab";

const SECRET = '{{ with nomadVar "nomad/jobs/electrs/electrs/electrs" }}{{ .x }}{{ end }}';

const withTemplate = (template: Partial<Template>) =>
  places(secretChangeMode, ({ electrs }) => {
    electrs.task.Templates = [{ DestPath: "local/x", ...template }];
  });

describe(secretChangeMode.statement, () => {
  const at = "homelab/electrs TaskGroups[electrs].Tasks[electrs].Templates[local/x].ChangeMode";

  test.each(["restart", "signal", "script"] as const)("change mode %s is refused", (ChangeMode) => {
    expect(withTemplate({ EmbeddedTmpl: SECRET, ChangeMode })).toEqual([`${at} = ${ChangeMode}`]);
  });

  test("no change mode is refused, since that means restart", () => {
    expect(withTemplate({ EmbeddedTmpl: SECRET })).toEqual([`${at} = not set (Nomad's default is restart)`]);
    expect(withTemplate({ EmbeddedTmpl: '{{ range nomadVarList "x" }}{{ end }}' })).toHaveLength(1);
  });

  test("noop passes, and so does a restart without a secret", () => {
    expect(withTemplate({ EmbeddedTmpl: SECRET, ChangeMode: "noop" })).toEqual([]);
    expect(
      withTemplate({ EmbeddedTmpl: '{{ range nomadService "bitcoin" }}nomadVar{{ end }}', ChangeMode: "restart" }),
    ).toEqual([]);
  });
});
