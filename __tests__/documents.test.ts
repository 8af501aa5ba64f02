import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Construct } from "constructs";
import { homelab } from "../cli/homelab";
import { styleFor } from "../cli/shared/text";
import type { StatusReport } from "../cli/status/model";
import { statusText } from "../cli/status/text";
import * as constructs from "../constructs";
import { FINDINGS } from "../review/findings";
import { RULES } from "../rules";
import {
  anchorsOf,
  blocksOf,
  commandsIn,
  linksIn,
  markdownFiles,
  parseCommandLine,
  proseOf,
  tableOf,
} from "./documents";
import { FIXTURE_MAIN } from "./fixture-project";
import { TOOL_NAMES } from "./tools";
import { typeErrors } from "./type-errors";

const FILES = markdownFiles();
const { scripts, version } = JSON.parse(readFileSync("package.json", "utf8"));

describe.each(FILES)("%s", (file) => {
  test("links only to files and headings that exist", () => {
    const broken = linksIn(file).filter((target) => {
      const [path = "", anchor] = target.split("#");
      const linked = path ? join(dirname(file), path) : file;
      return !existsSync(linked) || (anchor !== undefined && !anchorsOf(linked).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  test("names only scripts that package.json has, and playbooks that exist", () => {
    const commands = commandsIn(file);
    const named = commands.flatMap((line) => [...line.matchAll(/\bnpm run (?:--silent )?([a-z][a-z:]*)/g)]);
    expect(named.map(([, name = ""]) => name).filter((name) => !(name in scripts))).toEqual([]);
    const playbooks = commands.flatMap((line) => [...line.matchAll(/\bansible-playbook (\S+\.yml)/g)]);
    const paths = playbooks.map(([, name = ""]) => join("ansible", name));
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  test("names only command lines that the program understands", async () => {
    const lines = commandsIn(file).flatMap((line) => line.split("npx homelab ").slice(1));
    const words = lines.map((line) => (line.match(/"[^"]*"|'[^']*'|[^\s|;&]+/g) ?? []) as string[]);
    for (const one of words.filter(([verb]) => !verb?.startsWith("<"))) {
      const understood = await parseCommandLine(one).catch((error: Error) => error.message);
      expect([one.join(" "), understood]).toEqual([
        one.join(" "),
        expect.stringMatching(/^(homelab|backup|secrets|help)\b/),
      ]);
    }
  });
});

/** The table of docs/constructs.md. */
const CONSTRUCTS = tableOf("docs/constructs.md", "construct").map(([name = "", , props = ""]) => ({
  name: name.replaceAll("`", ""),
  required: [...props.matchAll(/\*\*`(\w+)`\*\*/g)].map(([, prop = ""]) => prop),
  optional: [...props.matchAll(/(?<!\*\*)`(\w+)`/g)].map(([, prop = ""]) => prop),
  methods: [...props.matchAll(/`(\w+)\(\)`/g)].map(([, method = ""]) => method),
}));

describe("the documents", () => {
  test("are all linked from README or from a document that it links to", () => {
    const reached = new Set(["README.md"]);
    // A set is gone through to its end, with all that is added on the way.
    for (const file of reached) {
      const linked = linksIn(file).map((target) => join(dirname(file), target.split("#")[0] ?? ""));
      for (const path of linked) if (FILES.includes(path)) reached.add(path);
    }
    expect(FILES.filter((file) => !reached.has(file))).toEqual([]);
  });

  test("show only code that compiles in main.ts, and every prop of a construct, in bold if it is required", () => {
    const blocks = FILES.flatMap((file) => blocksOf(file, "ts")).map((code) => `{\n${code}}`);
    expect(blocks.length).toBeGreaterThan(3);
    const record = (names: readonly string[]) => `{ ${names.map((name) => `${name}: 0`).join(", ")} }`;
    const tables = CONSTRUCTS.map(
      ({ name, required, optional, methods }) => `{
        type Props = ${name}Props;
        const required: Record<Required<Props>, 0> = ${record(required)};
        const optional: Record<Exclude<keyof Props, Required<Props> | "forcePull" | "cpu" | "memory" | "memoryMax">, 0> =
          ${record(optional)};
        const methods: (keyof ${name} | keyof typeof ${name})[] = ${JSON.stringify(methods)};
        void [required, optional, methods];
      }`,
    );
    const declarations = `
      import type { ${CONSTRUCTS.map(({ name }) => `${name}Props`).join(", ")} } from "./constructs";
      type Required<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];`;
    const program = FIXTURE_MAIN.replace("import { AlbyHub,", "import { Duration, AlbyHub,");
    expect(typeErrors([program, ...blocks, ...tables, declarations].join("\n"))).toBe("");
  });

  test("a command line that the program does not know would be found", async () => {
    await expect(parseCommandLine(["backup", "restore", "albyhub", "--databse", "nwc"])).rejects.toThrow(
      "unknown option",
    );
    await expect(parseCommandLine(["backup", "restore"])).rejects.toThrow("missing required argument");
    await expect(parseCommandLine(["stauts"])).rejects.toThrow("unknown command");
  });

  test("an anchor is made as GitHub makes it", () => {
    expect(anchorsOf("docs/recovery.md")).toEqual(
      expect.arrayContaining(["when-something-is-lost", "alby-hubs-database-is-lost-its-volume-is-not"]),
    );
  });
});

describe("README.md", () => {
  const text = readFileSync("README.md", "utf8");

  test("is short enough to be read at once", () => {
    expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(180);
  });

  test("shows a status with the sections and columns that the program prints", () => {
    const mood = "good" as const;
    const node = { name: "", status: "", eligible: true, draining: false, freeMemory: 0, memory: 0, mood };
    const report: StatusReport = {
      stack: "",
      nomadAddress: "",
      mood: "good",
      well: true,
      nomad: { versions: ["2.0.5"], mood: "good" },
      nodes: [node],
      services: [{ name: "", namespace: "", image: "", instances: [], mood }],
      plugins: [],
      absences: [],
      volumes: [{ id: "", namespace: "", writers: [], readers: [], mood }],
      backup: { mood, sets: [{ name: "", mood }], check: { mood, checks: [] }, drill: { mood, checks: [] } },
    };
    const sections = (status: string) =>
      [...status.matchAll(/^([A-Z]\w+)\n +([A-Z].*?) *$/gm)].map(([, title, columns]) => [
        title,
        columns?.split(/ {2,}/),
      ]);
    const printed = sections(statusText(report, styleFor(false)));
    expect(printed.map(([title]) => title)).toEqual(["Machines", "Services", "Volumes", "Backup"]);
    expect(sections(text)).toEqual(printed);
  });
});

describe("docs/rules.md", () => {
  test("lists every rule with its statement, and no other", () => {
    expect(tableOf("docs/rules.md", "rule")).toEqual(RULES.map(({ name, statement }) => [`\`${name}\``, statement]));
  });
});

describe("docs/review.md", () => {
  test("lists every finding of a review as the table in the code has it", () => {
    expect(tableOf("docs/review.md", "finding")).toEqual(
      Object.entries(FINDINGS).map(([name, { statement, exit, acceptedBy, since }]) => [
        `\`${name}\``,
        statement,
        `${exit}`,
        { nobody: "never", owner: "by its owner", anyone: "yes" }[acceptedBy],
        since,
      ]),
    );
  });
});

describe("docs/everyday.md", () => {
  const verbs = homelab().commands;

  test("names every verb of the program", () => {
    const text = readFileSync("docs/everyday.md", "utf8");
    const missing = verbs.filter((verb) => !new RegExp(`(\`|npx homelab |npm run )${verb.name()}\\b`).test(text));
    expect(missing.map((verb) => verb.name())).toEqual([]);
  });

  test("has only verbs in its table that the program understands", async () => {
    for (const [verb = ""] of tableOf("docs/everyday.md", "verb")) {
      for (const [, line = ""] of verb.matchAll(/`([^`]+)`/g)) {
        expect(await parseCommandLine(line.split(" "))).not.toBe("");
      }
    }
  });
});

describe("docs/constructs.md", () => {
  test("lists every construct, and no other", () => {
    const classes = Object.entries(constructs).filter(([, value]) => value.prototype instanceof Construct);
    expect(CONSTRUCTS.map(({ name }) => name).sort()).toEqual(classes.map(([name]) => name).sort());
  });
});

describe("CONTRIBUTING.md", () => {
  test("names every tool that REQUIRE knows, and no other", () => {
    const [, named = ""] = /`REQUIRE=([a-z,-]+)`/.exec(proseOf("CONTRIBUTING.md")) ?? [];
    expect(named.split(",")).toEqual(TOOL_NAMES.toSorted());
  });
});

describe("CHANGELOG.md", () => {
  test("has this version, or one that comes", () => {
    const headings = [...proseOf("CHANGELOG.md").matchAll(/^## \[(\d+\.\d+\.\d+)\] - (Unreleased|\d{4}-\d\d-\d\d)$/gm)];
    const versions = headings.map(([, number = ""]) => number);
    expect(versions).toEqual(versions.toSorted((a, b) => b.localeCompare(a, "en", { numeric: true })));
    expect(versions).toContain(version);
  });
});
