import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import fc from "fast-check";
import { quote, shellScript, table, words } from "../../nomad/shell";
import { describeWith } from "../tools";

const PROJECT = resolve(__dirname, "../..");

/** A file, by its path from the project's folder. */
function file(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "shell-")), "part.sh");
  writeFileSync(path, text);
  return relative(PROJECT, path);
}

const run = (script: string, shell = "sh") => execFileSync("sh", ["-c", `exec ${shell} -c "$0"`, script]);

/** Any text without NUL, with more quotes and line breaks than chance would give. */
const text = fc
  .string({ unit: fc.oneof(fc.constantFrom(..."'\"\\$`\n\r|# {}"), fc.string({ unit: "binary", maxLength: 1 })) })
  .filter((one) => !one.includes("\0"));

describe("a shell script", () => {
  test("is its values, then its files, with one #! line", () => {
    const files = [file('#!/bin/sh\n\nsay() { echo "$*"; }\n'), file('#!/bin/sh\nsay "$NAME $COUNT $READY"\n')];
    const script = shellScript(files, { NAME: "a", COUNT: 2, READY: true });
    expect(script).toBe(`#!/bin/sh
NAME='a'
COUNT='2'
READY='true'

say() { echo "$*"; }

say "$NAME $COUNT $READY"
`);
    expect(String(run(script))).toBe("a 2 true\n");
  });

  test("leaves out comments, so that rewording one restarts nothing, and keeps directives of shellcheck", () => {
    const lines = [
      "#!/bin/sh",
      "# What it is for.",
      "",
      "# shellcheck disable=SC2086 # words",
      "  # why",
      "echo $A # b",
      "",
    ];
    expect(shellScript([file(lines.join("\n"))])).toBe(
      "#!/bin/sh\n\n# shellcheck disable=SC2086 # words\necho $A # b\n",
    );
  });

  test("is read from the project, wherever it is called", () => {
    const before = process.cwd();
    const here = shellScript(["constructs/shell/entry.sh"]);
    try {
      process.chdir(tmpdir());
      expect(shellScript(["constructs/shell/entry.sh"])).toBe(here);
    } finally {
      process.chdir(before);
    }
  });

  test.each([
    [
      "a file that is not there",
      () => shellScript(["constructs/none.sh"]),
      `there is no ${PROJECT}/constructs/none.sh`,
    ],
    ["a file for another shell", () => shellScript([file("#!/bin/bash\n")]), "must begin with the line #!/bin/sh"],
    [
      "a file with an action of a template",
      () => shellScript([file('#!/bin/sh\necho "{{ .Value }}"\n')]),
      /part\.sh, line 2: "{{" and "}}" are for Nomad's templates/,
    ],
    ["a file with half an action", () => shellScript([file("#!/bin/sh\n\necho }}\n")]), /part\.sh, line 3: /],
    [
      "a value with an action of a template",
      () => shellScript([], { NAME: "a{{b" }),
      'the shell variable NAME, line 1: "{{"',
    ],
    ["a value with a NUL", () => shellScript([], { NAME: "a\0b" }), "a NUL character cannot stand in a shell script"],
    ["a name that would run", () => shellScript([], { "A;id": "" }), 'shell variable "A;id" must be capitals'],
    ["a name of a script's own", () => shellScript([], { name: "" }), 'shell variable "name" must be capitals'],
  ])("refuses %s", (_, script, message) => {
    expect(script).toThrow(message);
  });
});

describe("lists for a shell script", () => {
  test("words are what a for loop goes through", () => {
    const loop = `NAMES=${quote(words(["albyhub", "albyhub-part", "a_b.c"]))}; for name in $NAMES; do echo "<$name>"; done`;
    expect(String(run(loop))).toBe("<albyhub>\n<albyhub-part>\n<a_b.c>\n");
    expect(words([])).toBe("");
  });

  test.each(["", "a b", "*", "a\nb", "$(id)"])("words refuse %j", (name) => {
    expect(() => words(["a", name])).toThrow(`"${name}" in a list for a shell script must be letters`);
  });

  test.each(["a|b", "a\nb"])("a table refuses %j", (cell) => {
    expect(() => table([["a", cell]])).toThrow(`"${cell}" in a table for a shell script must not hold "|"`);
  });
});

/** What every shell must do that runs the scripts. */
function valuesArrive(shell: string): void {
  test("every value arrives byte for byte, whatever is in it", () => {
    const value = text.filter((one) => !/\{\{|\}\}/.test(one));
    fc.assert(
      fc.property(fc.array(value, { minLength: 10, maxLength: 20 }), (values) => {
        const names = values.map((_, index) => `VALUE_${index}`);
        const print = file(`#!/bin/sh\nprintf '%s\\0' ${names.map((name) => `"$${name}"`).join(" ")}\n`);
        const script = shellScript(
          [print],
          Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""])),
        );
        expect(run(script, shell)).toEqual(Buffer.from(values.map((one) => `${one}\0`).join("")));
      }),
      { numRuns: 10 },
    );
  });

  test("rows of a table arrive in read, empty cells included", () => {
    const cell = text.filter((one) => !/[|\n]/.test(one));
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }), (rows) => {
        const loop = `while IFS='|' read -r a b c <&3; do printf '%s\\0%s\\0%s\\0\\0' "$a" "$b" "$c"; done`;
        const expected = rows.map((row) => `${row.join("\0")}\0\0`).join("");
        const script = `ROWS=${quote(table(rows))}\n${loop} 3<<TABLE\n$ROWS\nTABLE`;
        expect(run(script, shell)).toEqual(Buffer.from(expected));
      }),
      { numRuns: 10 },
    );
  });
}

describe("in sh", () => valuesArrive("sh"));
describeWith(["busybox"], "in busybox", () => valuesArrive("busybox sh"));
