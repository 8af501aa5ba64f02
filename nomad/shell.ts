import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const SHEBANG = "#!/bin/sh\n";

/** Values for a script, by the names of its variables; lists go through {@link words} or {@link table}. */
export type ShellValues = Readonly<Record<string, string | number | boolean>>;

/**
 * A script for a task, made of this project's `.sh` files, as a template that Nomad renders unchanged.
 *
 * Nothing is inserted into the text of those files. What they need from TypeScript comes before them as assignments,
 * quoted for a shell. By convention, what a script gets from outside, these values and its environment, has a name in
 * capitals; its own variables do not.
 *
 * Comments are left out, because every change of the text restarts the task: lines that begin with `#`, even in
 * here-documents. Directives of shellcheck stay, since it reads the rendered script.
 *
 * @param files paths from the project's folder, in order. Each begins with `#!/bin/sh`; the script has that line once.
 * @throws when a file is missing, a name is not valid, a value holds a NUL character, or the text holds `{{` or `}}`,
 *   which Nomad would read as an action of its templates.
 */
export function shellScript(files: readonly string[], values: ShellValues = {}): string {
  const assignments = Object.entries(values).map(([name, value]) => {
    if (!/^[A-Z][A-Z0-9_]*$/.test(name)) {
      throw new Error(`shell variable "${name}" must be capitals, digits and underscores, a capital first`);
    }
    return refuseBraces(`the shell variable ${name}`, `${name}=${quote(String(value))}\n`);
  });
  return [SHEBANG + assignments.join(""), ...files.map(codeOf)].join("\n");
}

/** A list, for `for name in $NAMES`. @throws when a name would not be exactly one word to a shell. */
export function words(names: readonly string[]): string {
  for (const name of names) {
    if (!/^[\w.-]+$/.test(name)) {
      throw new Error(
        `"${name}" in a list for a shell script must be letters, digits, dots, dashes and underscores alone`,
      );
    }
  }
  return names.join(" ");
}

/**
 * A table, for `while IFS='|' read -r first second …`: one line per row.
 *
 * @throws when a cell holds a separator.
 */
export function table(rows: readonly (readonly (string | number | boolean)[])[]): string {
  for (const cell of rows.flat()) {
    if (/[|\n]/.test(String(cell))) {
      throw new Error(`"${cell}" in a table for a shell script must not hold "|" or a line break`);
    }
  }
  return rows.map((row) => row.join("|")).join("\n");
}

/** A text as one word for a shell. @throws when it holds a NUL character, which no variable can. */
export function quote(text: string): string {
  if (text.includes("\0")) throw new Error("a NUL character cannot stand in a shell script");
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A file without its first line and comments. */
function codeOf(file: string): string {
  const path = join(projectFolder(), file);
  if (!existsSync(path)) {
    throw new Error(`there is no ${path}: shell scripts are read from the project's folder, beside package.json`);
  }
  const text = readFileSync(path, "utf8");
  if (!text.startsWith(SHEBANG)) throw new Error(`${file} must begin with the line ${SHEBANG.trim()}`);
  return refuseBraces(file, text)
    .split("\n")
    .filter((line) => !/^\s*#(?! shellcheck )/.test(line))
    .join("\n")
    .replace(/^\n+/, "");
}

function refuseBraces(where: string, text: string): string {
  const line = text.split("\n").findIndex((one) => /\{\{|\}\}/.test(one));
  if (line >= 0) {
    throw new Error(
      `${where}, line ${line + 1}: "{{" and "}}" are for Nomad's templates, and this is not one; put a space between the ` +
        "braces, or render the value to a file of its own",
    );
  }
  return text;
}

/** The folder with package.json, above this file, which may run from `dist`. */
function projectFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`there is no package.json above ${__dirname}`);
    folder = parent;
  }
  return folder;
}
