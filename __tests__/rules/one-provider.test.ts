import type { Service } from "../../.gen/nomad/job";
import { oneProvider } from "../../rules/one-provider";
import { findings, places } from "./homelab";

const service = (Name: string, Provider: Service["Provider"] = "nomad") => ({ Name, PortLabel: "main", Provider });

describe(oneProvider.statement, () => {
  test("two jobs with one name are refused, and the first is named", () => {
    const found = findings(oneProvider, ({ electrs }) => {
      electrs.group.Services = [service("bitcoin")];
    });
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab/electrs",
        value: "bitcoin",
        problem: expect.stringContaining("homelab/bitcoin (bitcoin) already"),
      }),
    ]);
  });

  test("so are a group and a task, two services of one group, and two groups of one job", () => {
    const at = "homelab/electrs TaskGroups[electrs].";
    expect(
      places(oneProvider, ({ electrs }) => {
        electrs.group.Services = [service("twice"), service("twice")];
      }),
    ).toEqual([`${at}Services[1].Name = twice`]);
    expect(
      places(oneProvider, ({ electrs }) => {
        electrs.group.Services = [service("twice")];
        for (const task of electrs.group.Tasks) task.Services = [service("twice")];
      }),
    ).toEqual([`${at}Tasks[electrs].Services[0].Name = twice`]);
    expect(
      places(oneProvider, ({ electrs }) => {
        electrs.group.Services = [service("twice")];
        electrs.job.TaskGroups.push({ ...electrs.group, Name: "second" });
      }),
    ).toEqual(["homelab/electrs TaskGroups[second].Services[0].Name = twice"]);
  });

  test.each(["${JOB}", "${NOMAD_JOB_NAME}", "${NOMAD_GROUP_NAME}", '${env["NOMAD_JOB_ID"]}'])(
    "so is a name that %s makes the same",
    (name) => {
      const found = places(oneProvider, ({ bitcoin, electrs }) => {
        bitcoin.group.Services = [service("a-electrs")];
        electrs.group.Services = [service(`a-${name}`)];
      });
      expect(found).toEqual(["homelab/electrs TaskGroups[electrs].Services[0].Name = a-electrs"]);
    },
  );

  test.each([
    ["in another catalogue", service("bitcoin", "consul")],
    ["with another name", service("bitcoin-2")],
  ])("a service %s passes", (_, one) => {
    expect(
      places(oneProvider, ({ electrs }) => {
        electrs.group.Services = [one];
      }),
    ).toEqual([]);
  });

  test("so do several instances of one group, and the same name in another namespace", () => {
    expect(
      places(oneProvider, ({ electrs }) => {
        electrs.group.Services = [service("bitcoin")];
        electrs.group.Count = 3;
        electrs.job.Namespace = "other";
      }),
    ).toEqual([]);
  });
});
