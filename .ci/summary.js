// Prints what a run of .ci/run left out and why, and the sum of its jest runs as the last line.
//
// node .ci/summary.js FOLDER: the folder has jest's JSON of each suite, and may have a file `left-out` with more lines.
const { existsSync, readdirSync, readFileSync } = require("node:fs");
const { basename, join } = require("node:path");

const [folder] = process.argv.slice(2);
const leftOut = [];
const sum = { passed: 0, failed: 0, skipped: 0 };

for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const run = JSON.parse(readFileSync(join(folder, file), "utf8"));
  sum.passed += run.numPassedTests;
  sum.failed += run.numFailedTests + run.numRuntimeErrorTestSuites;
  sum.skipped += run.numPendingTests + run.numTodoTests;
  const skipped = run.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== "passed" && status !== "failed")
    .map(reasonOf);
  for (const reason of [...new Set(skipped)].sort()) {
    const count = skipped.filter((one) => one === reason).length;
    leftOut.push(`${basename(file, ".json")}: ${count} ${count === 1 ? "test" : "tests"}: ${reason}`);
  }
}
const more = join(folder, "left-out");
if (existsSync(more)) leftOut.push(...readFileSync(more, "utf8").trimEnd().split("\n"));

if (leftOut.length > 0) console.log(`\n== left out\n${leftOut.join("\n")}`);
console.log(`jest: ${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);

/** As `describeWith` puts it into the title of the outermost block that is skipped. */
function reasonOf({ ancestorTitles }) {
  const [, reason] = ancestorTitles.map((title) => /\(skipped: (.*)\)$/.exec(title)).find(Boolean) ?? [];
  return reason ?? "skipped without a reason";
}
