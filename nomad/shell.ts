import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const SHEBANG = "#!/bin/sh\n";

/** What a script may be given; a list goes through {@link words} or {@link table}. */
export type ShellValues = Readonly<Record<string, string | number | boolean>>;

/**
 * A script for a task, made of `.sh` files of this project, as a template that Nomad renders unchanged.
 *
 * Nothing is written into the text of those files. What they need from TypeScript stands above them as assignments,
 * quoted so that a shell reads every value exactly. Whatever a script gets from outside, these and the environment, has
 * a name in capitals; its own variables do not.
 *
 * Comments stay behind, because every change of the text restarts the task: a line that begins with `#`, wherever it
 * stands, here-documents included. Directives of shellcheck come along, since it reads what is rendered.
 *
 * @param files paths from the project's folder, in order. Each begins with `#!/bin/sh`; the script has that line once.
 * @param values by the names of the variables.
 * @throws when a file is missing, a name cannot be a variable's, a value holds a NUL character, or something reads as
 *   an action of Nomad's templates, `{{ … }}`.
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

/** A list of names, for `for name in $NAMES`. @throws when a shell would read one of them as more or less than one word. */
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
 * A table, for `while IFS='|' read -r first second …`: a row is a line.
 *
 * @throws when a cell holds what separates cells or rows.
 */
export function table(rows: readonly (readonly (string | number | boolean)[])[]): string {
  for (const cell of rows.flat()) {
    if (/[|\n]/.test(String(cell))) {
      throw new Error(`"${cell}" in a table for a shell script must not hold "|" or a line break`);
    }
  }
  return rows.map((row) => row.join("|")).join("\n");
}

/** A text as one word of a shell's command line. @throws when it holds a NUL character, which no variable can. */
export function quote(text: string): string {
  if (text.includes("\0")) throw new Error("a NUL character cannot stand in a shell script");
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A file without its first line and its comments. */
function codeOf(file: string): string {
  const path = join(projectFolder(), file);
  if (!existsSync(path)) {
    throw new Error(`there is no ${path}: shell scripts are read from the project's folder, not from what tsc wrote`);
  }
  const text = readFileSync(path, "utf8");
  if (!text.startsWith(SHEBANG)) throw new Error(`${file} must begin with the line ${SHEBANG.trim()}`);
  return refuseBraces(file, text)
    .split("\n")
    .filter((line) => !/^\s*#(?! shellcheck )/.test(line))
    .join("\n")
    .replace(/^\n+/, "");
}

/** Nomad's template engine would take what follows for an action of its own. */
function refuseBraces(where: string, text: string): string {
  const line = text.split("\n").findIndex((one) => /\{\{|\}\}/.test(one));
  if (line >= 0) {
    throw new Error(
      `${where}, line ${line + 1}: "{{" and "}}" belong to Nomad's templates, and a script is none; put a space between ` +
        "the braces, or render the value to a file of its own",
    );
  }
  return text;
}

/** The folder with package.json, above this file, which runs from `dist` as well. */
function projectFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`there is no package.json above ${__dirname}`);
    folder = parent;
  }
  return folder;
}
