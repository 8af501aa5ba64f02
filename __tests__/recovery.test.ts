import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { homelab } from "../cli/homelab";
import { BY_HAND, CHAPTERS, commandsOf, RUN_ON_A_CLUSTER, shellCommandsOf } from "./recovery-document";

const COMMANDS = [...new Set(CHAPTERS.flatMap(commandsOf))];

/** Parses a command line by the program itself, with every option and argument, and does nothing. */
async function parse(words: readonly string[]): Promise<string> {
  let meant = "";
  const program = homelab();
  const all = [...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
  for (const command of all) {
    command.configureOutput({ writeErr: () => {}, outputError: () => {} }).exitOverride();
    if (command.commands.length === 0)
      command.action(() => {
        meant = `${command.parent?.name()} ${command.name()}`;
      });
  }
  await program.parseAsync(words, { from: "user" });
  return meant;
}

describe("docs/recovery.md", () => {
  test("is linked by README", () => {
    expect(readFileSync("README.md", "utf8")).toContain("(docs/recovery.md)");
  });

  test.each(COMMANDS.filter((line) => line.startsWith("npx homelab ")))(
    "%s is a command line of the program",
    async (line) => {
      expect(await parse(line.split(" ").slice(2))).not.toBe("");
    },
  );

  test("a command line that the program does not know would be found", async () => {
    await expect(parse(["backup", "restore", "albyhub", "--databse", "nwc"])).rejects.toThrow("unknown option");
    await expect(parse(["backup", "restore"])).rejects.toThrow("missing required argument");
  });

  test("names scripts and playbooks that there are", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
    for (const line of COMMANDS) {
      const [, script] = /^npm run (\S+)/.exec(line) ?? [];
      if (script) expect(Object.keys(scripts)).toContain(script);
      const [, playbook] = /^ansible-playbook (\S+)/.exec(line) ?? [];
      if (playbook) expect([playbook, existsSync(join("ansible", playbook))]).toEqual([playbook, true]);
    }
  });

  test("has no command for a shell in a chapter that the cluster test does not run", () => {
    const others = CHAPTERS.filter((chapter) => !RUN_ON_A_CLUSTER.includes(chapter));
    expect(others.flatMap(shellCommandsOf)).toEqual([]);
    expect(BY_HAND.filter((line) => !COMMANDS.includes(line))).toEqual([]);
  });

  test("names the recovery tool and the guide, and links only to chapters and files that there are", () => {
    const text = readFileSync("docs/recovery.md", "utf8");
    expect(text).toContain("https://github.com/getAlby/hub-recovery/releases");
    expect(text).toContain("https://guides.getalby.com/user-guide/alby-hub/backups-and-recover");
    const anchor = (title: string) =>
      `#${title
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-")}`;
    for (const [, target = ""] of text.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
      const [file = "", chapter] = target.split("#");
      const path = file ? join(dirname("docs/recovery.md"), file) : "docs/recovery.md";
      expect([path, existsSync(path)]).toEqual([path, true]);
      const titles = [...readFileSync(path, "utf8").matchAll(/^##+ (.*)$/gm)].map(([, title = ""]) => anchor(title));
      if (chapter) expect(titles).toContain(`#${chapter}`);
    }
  });
});
