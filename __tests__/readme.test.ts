import { readFileSync } from "node:fs";
import { FINDINGS } from "../review/findings";
import { RULES } from "../rules";
import { FIXTURE_MAIN } from "./fixture-project";
import { TOOL_NAMES } from "./tools";
import { typeErrors } from "./type-errors";

const README = readFileSync("README.md", "utf8");

describe("README", () => {
  test("lists every rule with its statement, and no other", () => {
    const rows = RULES.map(({ name, statement }) => `| \`${name}\` | ${statement} |`);
    const [, table = ""] = /## Rules\n[\s\S]*?\| --- \| --- \|\n([\s\S]*?)\n\n/.exec(README) ?? [];
    expect(table.split("\n")).toEqual(rows);
  });

  test("lists every finding of a review as the table in the code has it", () => {
    const rows = Object.entries(FINDINGS).map(
      ([name, { statement, exit, allowable, since }]) =>
        `| \`${name}\` | ${statement} | ${exit} | ${allowable ? "yes" : "never"} | ${since} |`,
    );
    const [, table = ""] = /\| finding \|.*\n\| --- .*\n([\s\S]*?)\n\n/.exec(README) ?? [];
    expect(table.split("\n")).toEqual(rows);
  });

  test("names only scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
    const named = [...README.matchAll(/npm run ([a-z][a-z:]*)/g)].map(([, name]) => name as string);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test("names every tool that REQUIRE knows, and no other", () => {
    const [, named = ""] = /`REQUIRE=([a-z,]+)`/.exec(README) ?? [];
    expect(named.split(",")).toEqual(TOOL_NAMES.toSorted());
  });

  test("shows only code that compiles in main.ts", () => {
    const blocks = [...README.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => `{\n${code}}\n`);
    expect(blocks.length).toBeGreaterThan(2);
    const main = FIXTURE_MAIN.replace("import { AlbyHub,", "import { Duration, AlbyHub,");
    expect(typeErrors(main.replace("app.synth();", `${blocks.join("")}app.synth();`))).toBe("");
  });
});
