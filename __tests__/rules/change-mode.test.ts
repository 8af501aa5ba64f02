import type { Task } from "../../.gen/nomad/job";
import { changeMode } from "../../rules/change-mode";
import { reviewOfChange } from "../review/plans";
import { findings } from "./homelab";

const SERVICE = '{{ range nomadService "electrs" }}{{ .Address }}{{ end }}';
const SECRET = '{{ with nomadVar "nomad/jobs/albyhub/albyhub/albyhub" }}{{ .k }}{{ end }}';
const KEY = '{{ key "a/b" }}';

const withTemplate = (ChangeMode: string | undefined, EmbeddedTmpl: string) => (task: Task) => {
  const template = { DestPath: "local/peers", EmbeddedTmpl, ...(ChangeMode && { ChangeMode }) };
  (task as { Templates?: unknown[] }).Templates = [...(task.Templates ?? []), template];
};

describe(changeMode.statement, () => {
  test.each([SERVICE, SECRET, KEY])("%s may not restart, signal or run a script", (text) => {
    for (const mode of ["restart", "signal", "script", undefined]) {
      for (const id of ["bitcoin", "albyhub"]) {
        const review = reviewOfChange(withTemplate(mode, text), { id });
        expect(review.findings.map(({ resource }) => resource)).toContain(`nomad_job.${id}:change-mode`);
        expect(review.exit).toBe(2);
      }
      const index = reviewOfChange(withTemplate(mode, text), { id: "electrs" });
      expect(index.findings.map(({ resource }) => resource)).not.toContain("nomad_job.electrs:change-mode");
    }
  });

  test("one that changes nothing passes", () => {
    expect(reviewOfChange(withTemplate("noop", SERVICE)).exit).toBe(0);
    expect(reviewOfChange(withTemplate("restart", 'plain {{ env "NOMAD_ALLOC_ID" | toLower }}')).exit).toBe(0);
  });

  test.each<[string, Partial<Task>]>([
    ["Identities[aud].ChangeMode", { Identities: [{ Name: "aud", File: true, ChangeMode: "restart" }] as never }],
    ["Identities[default].ChangeMode", { Identity: { Name: "default", File: true, ChangeMode: "signal" } as never }],
    ["Vault.ChangeMode", { Vault: { Role: "x" } as never }],
    ["Templates[local/x].ChangeMode", { Templates: [{ SourcePath: "local/x.tpl", DestPath: "local/x" }] as never }],
  ])("%s counts as well", (place, values) => {
    const found = findings(changeMode, ({ bitcoin }) => void Object.assign(bitcoin.task, values));
    expect(found.map((one) => one.place)).toEqual([`TaskGroups[bitcoin].Tasks[bitcoin].${place}`]);
  });

  test("names the field, its value and what to write", () => {
    const [found] = findings(changeMode, ({ bitcoin }) => withTemplate(undefined, SERVICE)(bitcoin.task));
    expect(found).toMatchObject({
      place: "TaskGroups[bitcoin].Tasks[bitcoin].Templates[local/peers].ChangeMode",
      value: "not set (Nomad's default is restart)",
      remedy: 'set ChangeMode to "noop", and restart the service when it suits',
    });
  });
});
