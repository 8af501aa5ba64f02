import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FOLDERS = ["alloc/bin", "alloc/data", "secrets", "local", "data"];

/** A container has no proxy settings. */
export const ENVIRONMENT = { PATH: process.env.PATH };

export type Container = ReturnType<typeof container>;

/** Stands a container's folders below a temporary one; a script that went through `here` finds them there. */
export function container(name: string) {
  const root = mkdtempSync(join(tmpdir(), `${name}-`));
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const here = (script: string) =>
    script
      .replaceAll("/alloc/bin/busybox", busybox)
      .replace(/(^|[\s"'=(])\/(alloc|secrets|local|data)\b/gm, `$1${root}/$2`);
  return {
    root,
    busybox,
    put,
    here,
    read: (path: string) => readFileSync(join(root, path), "utf8"),
    has: (path: string) => existsSync(join(root, path)),
    /** Runs a probe's script as busybox httpd does. @returns status and text. */
    probe: (script: string) =>
      new Promise<string>((done) => {
        put("local/health", here(script).replaceAll(/\b(cat|wget|date|tr|rm) /g, "busybox $1 "));
        const shell = spawn("busybox", ["sh", join(root, "local/health")], { env: ENVIRONMENT });
        let printed = "";
        shell.stdout.on("data", (text) => {
          printed += text;
        });
        shell.on("close", () => {
          const pattern = /^Status: (\d+) [A-Za-z ]+\r\nContent-Type: text\/plain\r\n\r\n(.*)\n$/;
          const [, status, reason] = pattern.exec(printed) ?? [];
          done(`${status} ${reason}`);
        });
      }),
  };
}

/** Ends a script and what it has started, which would keep its output and its lock. */
export async function kill(script: ChildProcess | undefined): Promise<void> {
  try {
    while (script?.pid) {
      process.kill(-script.pid, "SIGKILL");
      await new Promise((done) => setTimeout(done, 20));
    }
  } catch {
    // They have ended.
  }
}

export async function untilTrue(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !condition(); ) {
    if (Date.now() > end) throw new Error("it never came true");
    await new Promise((done) => setTimeout(done, 100));
  }
}
