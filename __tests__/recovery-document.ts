import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const TEXT = readFileSync(resolve(__dirname, "../docs/recovery.md"), "utf8");

/** The titles of the document's chapters. */
export const CHAPTERS: readonly string[] = [...TEXT.matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title);

/** Every command of a chapter, in order, word for word. @throws when there is no such chapter, or it has no command. */
export function commandsOf(chapter: string): string[] {
  const text = TEXT.split(/^## /m).find((one) => one.startsWith(`${chapter}\n`)) ?? "";
  const commands = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].flatMap(([, block = ""]) =>
    block
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
  );
  if (commands.length === 0) throw new Error(`docs/recovery.md has no chapter «${chapter}» with commands`);
  return commands;
}

/** Alby's own tool, with the owner's seed: no test has it. */
export const BY_HAND: readonly string[] = ["./hub-recovery -b channel-backup.json"];

/** Those of a chapter that nothing but a shell can judge: no command of the program, of npm or of Ansible, none by hand. */
export function shellCommandsOf(chapter: string): string[] {
  return commandsOf(chapter).filter(
    (line) => !/^(npx homelab|npm run|ansible-playbook) /.test(line) && !BY_HAND.includes(line),
  );
}

/** Chapters of which the cluster test runs every command that nothing but a shell can judge. */
export const RUN_ON_A_CLUSTER: readonly string[] = [
  "Before it happens",
  "The server is lost",
  "Alby Hub's database is lost, its volume is not",
  "Alby Hub's volume is lost",
  "The NAS is lost",
  "Everything is lost",
  "An upgrade of Alby Hub does not run",
];
