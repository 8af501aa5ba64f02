import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

describe("the end of a run of CI", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "summary-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const result = (status: string, ...ancestorTitles: string[]) => ({ status, ancestorTitles, title: "works" });
  /** Writes what jest says of a suite, with a file of its own for each list of tests. */
  const suite = (name: string, files: ReturnType<typeof result>[][], broken = 0) => {
    const count = (status: string) => files.flat().filter((one) => one.status === status).length;
    const run = {
      numPassedTests: count("passed"),
      numFailedTests: count("failed"),
      numPendingTests: count("pending"),
      numTodoTests: 0,
      numRuntimeErrorTestSuites: broken,
      testResults: files.map((assertionResults) => ({ assertionResults })),
    };
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(run));
  };
  const summary = () => execFileSync(process.execPath, [".ci/summary.js", folder], { encoding: "utf8" });

  test("is one line when nothing was left out, with the sum of all suites", () => {
    suite("unit", [[result("passed", "a"), result("passed", "a")], [result("failed", "b")]]);
    suite("backup", [[result("passed", "c")]], 1);
    expect(summary()).toBe("jest: 3 passed, 2 failed, 0 skipped\n");
  });

  test("says for each suite and reason how many tests were left out, and ends with the sum", () => {
    const whole = "start (skipped: no busybox here (an image's))";
    suite("unit", [
      [result("pending", whole), result("pending", whole, "in it (skipped: no nomad here (Nomad's binary))")],
      [result("pending", "probe (skipped: no busybox here (an image's))"), result("passed", "probe")],
      [result("pending", "other (skipped: no ansible here (Python); no nomad here (Nomad's binary))")],
    ]);
    suite("ansible", [[result("pending", "a block")]]);
    writeFileSync(join(folder, "left-out"), "drills: all tests: on request\n");
    expect(summary().split("\n")).toEqual([
      "",
      "== left out",
      "ansible: 1 test: skipped without a reason",
      "unit: 1 test: no ansible here (Python); no nomad here (Nomad's binary)",
      "unit: 3 tests: no busybox here (an image's)",
      "drills: all tests: on request",
      "jest: 1 passed, 0 failed, 5 skipped",
      "",
    ]);
  });
});
