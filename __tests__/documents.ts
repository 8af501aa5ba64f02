import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { homelab } from "../cli/homelab";

/** Made or fetched, never checked in; and `own`, whose documents are the owner's. */
const NOT_OURS = /^(\.git|\.venv|node_modules|dist|cdktf\.out|coverage|own)$/;

/** Every Markdown file of the project, by its path from the root. */
export function markdownFiles(folder = "."): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.test(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return markdownFiles(path);
      return entry.name.endsWith(".md") ? [path] : [];
    });
}

/** A document without its blocks of code. */
export function proseOf(file: string): string {
  return readFileSync(file, "utf8").replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");
}

/** The blocks of code in one language. */
export function blocksOf(file: string, language: string): string[] {
  const blocks = readFileSync(file, "utf8").matchAll(
    new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, "gm"),
  );
  return [...blocks].map(([, , code = ""]) => code);
}

/** The commands that a reader may type: lines of shell blocks, and code in the text. */
export function commandsIn(file: string): string[] {
  const lines = blocksOf(file, "sh").flatMap((block) => block.split("\n"));
  const spans = [...proseOf(file).matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
  return [...lines, ...spans].map((line) => line.replace(/ # .*/, "").replaceAll(/\s+/g, " ").trim());
}

/** The rows of the table with this header, each as its cells. @throws when there is none. */
export function tableOf(file: string, header: string): string[][] {
  const [, rows] = readFileSync(file, "utf8").split(`| ${header} |`);
  if (!rows) throw new Error(`${file} has no table "${header}"`);
  const table = /^[^\n]*\n\|[ |-]*\n((?:\|.*\n)+)/.exec(rows)?.[1] ?? "";
  const cells = (row: string) => row.slice(1, -1).split(/(?<!\\)\|/);
  return table
    .trim()
    .split("\n")
    .map((row) => cells(row).map((cell) => cell.trim()));
}

/** The anchors that GitHub gives to the headings of a document. */
export function anchorsOf(file: string): string[] {
  const seen = new Map<string, number>();
  return [...proseOf(file).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) => {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "").replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/** Where the links of a document lead to, other than to web sites. */
export function linksIn(file: string): string[] {
  const text = proseOf(file).replaceAll(/`[^`]*`/g, "code");
  const links = [...text.matchAll(/\]\(([^)\s]+)[^)]*\)/g), ...text.matchAll(/^\[[^\]]+\]: (\S+)/gm)];
  return links.map(([, target = ""]) => target).filter((target) => !/^(https?|mailto):/.test(target));
}

/**
 * Parses a command line, the words after `homelab`, by the program itself, and does nothing.
 *
 * @returns the command that it means, or `help`.
 * @throws what the program says of a command line that it does not understand.
 */
export async function parseCommandLine(words: readonly string[]): Promise<string> {
  let meant = "";
  const program = homelab();
  const all = [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
  for (const command of all) {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} }).exitOverride();
    if (command.commands.length > 0) continue;
    command.action(() => {
      meant = `${command.parent?.name()} ${command.name()}`;
    });
  }
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if ((error as { code?: string }).code !== "commander.helpDisplayed") throw error;
    return "help";
  }
  return meant;
}
