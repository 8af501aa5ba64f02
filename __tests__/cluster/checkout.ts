import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PinnedImage } from "../../nomad/image";
import { copyProject } from "../fixture-project";
import { type Images, REAL } from "./images";
import { environment } from "./project";

export interface Ran {
  readonly code: number | null;
  /** All that it printed, in order. */
  readonly text: string;
}

/** This project in a folder of its own, as an owner has it: main.ts and inventory edited, the commands of the documents run. */
export class Checkout {
  constructor(
    readonly folder: string,
    inventory: string,
    images: Images,
    private readonly token: string,
  ) {
    copyProject(folder);
    writeFileSync(join(folder, "ansible/inventory.yml"), inventory);
    const names: readonly [string, PinnedImage][] = [
      ["registry.k8s.io/sig-storage/nfsplugin", images.nfs],
      ["bitcoin/bitcoin", images.bitcoin],
      ["getumbrel/electrs", images.electrs],
      ["ghcr.io/getalby/hub", images.hub],
      ["busybox", images.busybox],
      ["restic/restic", images.restic],
      ["postgres", images.postgres],
    ];
    for (const [name, image] of names) this.edit(new RegExp(`"${name}:.*"`), `"${image}"`);
    if (REAL)
      this.edit('new BitcoinNode(homelab, "bitcoin", {', 'new BitcoinNode(homelab, "bitcoin", {\n  chain: "regtest",');
  }

  /** Edits main.ts. @throws when there is nothing to edit. */
  edit(from: string | RegExp, to: string): void {
    const file = join(this.folder, "main.ts");
    const text = readFileSync(file, "utf8");
    const edited = text.replace(from, to);
    if (edited === text) throw new Error(`main.ts has no ${from}`);
    writeFileSync(file, edited);
  }

  /** Runs a command line of the documents. */
  async run(line: string, stdin = "", more: Record<string, string> = {}): Promise<Ran> {
    const child = spawn("sh", ["-c", line], {
      cwd: this.folder,
      env: { ...environment(), NOMAD_TOKEN: this.token, ...more },
    });
    const printed: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => printed.push(chunk));
    child.stdin.end(stdin);
    const code = await new Promise<number | null>((done, fail) => child.once("error", fail).once("close", done));
    return { code, text: Buffer.concat(printed).toString() };
  }

  /** The same for what must succeed. @throws with all that it printed. */
  async done(line: string, stdin = ""): Promise<string> {
    const { code, text } = await this.run(line, stdin);
    if (code !== 0) throw new Error(`${line} ended with ${code}:\n${text}`);
    return text;
  }
}
