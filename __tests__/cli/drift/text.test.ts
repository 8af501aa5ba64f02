import type { Difference } from "../../../cli/drift/model";
import { driftText } from "../../../cli/drift/text";
import { styleFor } from "../../../cli/shared/text";

const told = (...differences: Partial<Difference>[]) =>
  driftText(
    {
      stack: "homelab",
      nomadAddress: "http://nomad",
      differs: true,
      differences: differences.map((one) => ({ kind: "job", name: "one", fields: [], updates: [], ...one })),
    },
    styleFor(false),
  ).split("\n");

const row = (field: string, live: string | undefined, code: string | undefined) =>
  told({ fields: [{ field, ...(live !== undefined && { live }), ...(code !== undefined && { code }) }] })[2]
    ?.trim()
    .replaceAll(/ {2,}/g, " | ");

describe("a difference", () => {
  test("says what it is, what deploying it would do, and what to do", () => {
    const updates = [{ group: "main", restarts: 1 }];
    expect(told({ namespace: "lab", fields: [{ field: "Priority", live: "50", code: "90" }], updates })).toEqual([
      "homelab at http://nomad: 1 difference",
      "  job one in namespace lab: registering it as written would restart main",
      "    Priority  live 50  code 90",
      "  Terraform does not see what was changed by hand: take it into the code, or raise the job's metaVersion and deploy.",
      "",
    ]);
  });

  test.each([
    ["TaskGroups[a].Tasks[b].KillTimeout", "120000000000", "900000000000", "a/b KillTimeout | live 2m | code 15m"],
    ["TaskGroups[a].Update.MinHealthyTime", "1500000000", "0", "a Update.MinHealthyTime | live 1.5s | code 0"],
    [
      "TaskGroups[a].Disconnect",
      undefined,
      "LostAfter 7776000000000000, Reconcile keep_original",
      "a Disconnect | live not set | code LostAfter 2160h, Reconcile keep_original",
    ],
    ["Meta[interval]", "9000000", "8000000", "Meta[interval] | live 9000000 | code 8000000"],
    ["TaskGroups[a].Scaling.Max", "3", "1", "a Scaling.Max | live 3 | code 1"],
  ])("of %s stands in words and units", (field, live, code, text) => {
    expect(row(field, live, code)).toBe(text);
  });

  test("of two long values shows where they part", () => {
    const [live, code] = ["0".repeat(60), `${"0".repeat(50)}1${"0".repeat(9)}`];
    expect(row("Config.image", live, code)).toBe("Config.image | live …000000000000000000 | code …000000001000000000");
  });
});
