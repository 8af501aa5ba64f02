import { readdirSync, readFileSync } from "node:fs";
import { RULES, type RuleName } from "../../rules";
import { homelabWith } from "./homelab";

const SOURCES = readdirSync("rules")
  .filter((name) => name.endsWith(".ts"))
  .filter((name) => readFileSync(`rules/${name}`, "utf8").includes("satisfies Rule"));

describe("the list of rules", () => {
  test("holds every rule that has a file, each under the name of its file", () => {
    expect(RULES.map(({ name }) => `${name}.ts`).sort()).toEqual(SOURCES.sort());
  });

  test("has a test file for each", () => {
    const tests = readdirSync("__tests__/rules");
    expect(RULES.map(({ name }) => `${name}.test.ts`).filter((name) => !tests.includes(name))).toEqual([]);
  });

  test("states each rule in one sentence without a final period", () => {
    for (const { statement } of RULES) expect(statement).toMatch(/^[^A-Z].{20,140}[^.]$/);
  });

  test.each(RULES)("$name finds nothing in a homelab that is as it should be", (rule) => {
    expect(rule.check(homelabWith())).toEqual([]);
  });

  test("gives their names as a closed union", () => {
    const names: RuleName[] = ["funds", "placement", "pinned-image"];
    // @ts-expect-error a misspelt rule cannot be acknowledged
    names.push("pinned-images");
    expect(names).toHaveLength(4);
  });
});
