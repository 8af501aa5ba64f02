import type { Acknowledgement } from "../../model/homelab";
import { describe as inWords, judge, type Rule } from "../../rules/rule";
import { homelabWith } from "./homelab";

const findingAt = (path: string) => ({
  path,
  place: "Count",
  value: "2",
  problem: "is too many",
  remedy: "set it to 1",
});

const rule: Rule = {
  name: "example",
  statement: "an example",
  check: () => [
    findingAt("homelab/bitcoin"),
    findingAt("homelab/bitcoin2"),
    { ...findingAt("homelab/csi-nfs/node"), severity: "warning" },
  ],
};

const acknowledgedAt = (path: string, name = "example") => {
  const acknowledgements: Acknowledgement[] = [{ path, rule: name, reason: "a good reason" }];
  return judge({ ...homelabWith(), acknowledgements }, [rule])
    .filter(({ acknowledged }) => acknowledged === "a good reason")
    .map((verdict) => verdict.path);
};

describe("judging a homelab", () => {
  test("reports all findings of all rules, with the rule's name and a severity", () => {
    const verdicts = judge(homelabWith(), [rule, { ...rule, name: "other" }]);
    expect(verdicts.map(({ rule: name, path, severity }) => [name, path, severity])).toEqual([
      ["example", "homelab/bitcoin", "violation"],
      ["example", "homelab/bitcoin2", "violation"],
      ["example", "homelab/csi-nfs/node", "warning"],
      ["other", "homelab/bitcoin", "violation"],
      ["other", "homelab/bitcoin2", "violation"],
      ["other", "homelab/csi-nfs/node", "warning"],
    ]);
    expect(verdicts.every(({ acknowledged }) => acknowledged === undefined)).toBe(true);
  });

  test("an acknowledgement covers its own construct, not a sibling whose name begins alike", () => {
    expect(acknowledgedAt("homelab/bitcoin")).toEqual(["homelab/bitcoin"]);
  });

  test("an acknowledgement covers what stands below it", () => {
    expect(acknowledgedAt("homelab/csi-nfs")).toEqual(["homelab/csi-nfs/node"]);
    expect(acknowledgedAt("homelab")).toEqual(["homelab/bitcoin", "homelab/bitcoin2", "homelab/csi-nfs/node"]);
  });

  test("an acknowledgement covers neither its parent nor another rule", () => {
    expect(acknowledgedAt("homelab/bitcoin/deeper")).toEqual([]);
    expect(acknowledgedAt("homelab/bitcoin", "other")).toEqual([]);
  });

  test("a verdict says in three lines where and what, the rule it breaks, what to do", () => {
    const [verdict] = judge(homelabWith(), [rule]);
    expect(verdict && inWords(verdict)).toBe("homelab/bitcoin: Count = 2\n  is too many (rule example)\n  set it to 1");
  });
});
