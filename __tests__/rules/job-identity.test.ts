import { jobIdentity } from "../../rules/job-identity";
import { findings, places } from "./homelab";

describe(jobIdentity.statement, () => {
  test("two jobs of one ID are refused, and the first is named", () => {
    const found = findings(jobIdentity, ({ electrs }) => {
      electrs.job.ID = "bitcoin";
    });
    expect(found).toEqual([
      expect.objectContaining({
        path: "homelab/electrs",
        value: "bitcoin",
        problem: expect.stringContaining("homelab/bitcoin"),
      }),
    ]);
  });

  test("so is a third", () => {
    const found = places(jobIdentity, ({ electrs, albyhub }) => {
      electrs.job.ID = "bitcoin";
      albyhub.job.ID = "bitcoin";
    });
    expect(found).toEqual(["homelab/electrs ID = bitcoin", "homelab/albyhub ID = bitcoin"]);
  });

  test("the same ID in another namespace, or the same name, passes", () => {
    const found = places(jobIdentity, ({ electrs, node }) => {
      node.job.ID = "bitcoin";
      electrs.job.Name = "bitcoin";
    });
    expect(found).toEqual([]);
  });
});
