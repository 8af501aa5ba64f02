#!/usr/bin/env node
// Compiles and runs main.ts, and then `homelab <verb>` if one is given: `npm run synth`, `npm run review`, and the app of
// cdktf.json. All in one process, because somebody is waiting: libraries load while the compiler runs, and it does not
// run at all when no source has changed.
const { spawn } = require("node:child_process");
const { createHash } = require("node:crypto");
const { once } = require("node:events");
const { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { SourceMap } = require("node:module");
const { join, relative, resolve } = require("node:path");

const root = join(__dirname, "..");
const at = (name) => join(root, name);
/** The argument in cdktf.json. */
const IN_CDKTF = "--cdktf";

/** cdktf adds a message of its own, which would send the owner to the wrong line. */
const CONSEQUENCE = "so nothing was synthesized, and cdktf reports next that its manifest is missing";

const debugging = process.env.HOMELAB_DEBUG === "1";

/** A hash of every source: a time stamp says nothing about a file that was moved or restored. */
function sources() {
  const { include } = JSON.parse(readFileSync(at("tsconfig.json"), "utf8"));
  const folders = [".gen", ...include.filter((name) => !name.endsWith(".ts"))].filter((name) => existsSync(at(name)));
  const files = folders.flatMap((folder) =>
    readdirSync(at(folder), { recursive: true })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );
  const hash = createHash("sha256");
  const single = include.filter((name) => name.endsWith(".ts"));
  for (const name of ["tsconfig.json", "package-lock.json", ...single, ...files.sort()]) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(at(name)))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Changes whenever anything else is compiled into the same folder. */
function compilation() {
  const notes = at("dist/.tsbuildinfo");
  return existsSync(notes) ? String(statSync(notes).mtimeMs) : "none";
}

/** @returns whether `dist` matches the sources; if not, the compiler has said why. */
async function compile() {
  const record = at("dist/.compiled");
  const now = sources();
  if (existsSync(record) && readFileSync(record, "utf8") === `${now} ${compilation()}`) return true;
  const compiler = spawn(process.execPath, [at("node_modules/typescript/lib/tsc.js"), "-p", root], {
    stdio: "inherit",
  });
  const end = once(compiler, "exit");
  for (const name of ["cdktf", "commander", "yaml"]) require(name);
  const [code] = await end;
  if (code === 0) writeFileSync(record, `${now} ${compilation()}`);
  return code === 0;
}

/**
 * The line of the owner's source that an error comes from, such as "main.ts:17:15: ". Empty when its message names a file
 * itself, and when it is found only as main.ts calls app.synth().
 */
function placeOf({ message, stack }) {
  if (/^\S+\.(ts|ya?ml)\b/.test(message) || stack.includes("at App.synth ")) return "";
  const own = join(root, "dist");
  for (const [, file, line, column] of stack.matchAll(/\(?([^\s(]+\.js):(\d+):(\d+)\)?$/gm)) {
    const source = relative(own, file).replace(/\.js$/, ".ts");
    if (source !== "main.ts" && !source.startsWith("own/")) continue;
    const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
    const { originalLine, originalColumn } = map.findEntry(line - 1, column - 1);
    return `${source}:${originalLine + 1}:${originalColumn + 1}: `;
  }
  return "";
}

/**
 * What to print of an error that main.ts throws: its message alone, which says what is wrong and where. A stack trace
 * helps with a bug in the program, not with an owner's mistake.
 */
function sentenceOf(error) {
  if (!error?.message) return String(error);
  if (debugging) return error.stack;
  let { message } = error;
  // CDKTF wraps what a lazy value throws, once for each level: "Resolution error: <message>.", and perhaps a stack trace.
  const wrapped = "Resolution error: ";
  while (message.startsWith(wrapped)) {
    message = message.slice(wrapped.length).replace(/\.(\nObject creation stack:[\s\S]*)?$/, "");
  }
  if (message.startsWith("There is already a Construct with name ")) message += ": give one of them another id";
  if (error.name === "Error") return `${placeOf({ message, stack: error.stack })}${message}`;
  return `${error.name}: ${message}\nHOMELAB_DEBUG=1 npm run synth shows where this comes from`;
}

/**
 * Runs main.ts.
 *
 * @param file it was compiled to.
 * @param manifest it must write; no such file exists yet.
 * @throws what main.ts throws, or when it synthesizes nothing.
 */
function runMain(file, manifest) {
  require(file);
  if (!existsSync(manifest)) {
    throw new Error("main.ts synthesized nothing: end it with app.synth(), and give App no outdir");
  }
}

async function main([verb]) {
  const inCdktf = verb === IN_CDKTF;
  // A program that goes on after an error annotation would synthesize what must not be deployed.
  if (!inCdktf) delete process.env.CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS;
  const manifest = resolve(process.env.CDKTF_OUTDIR || "cdktf.out", "manifest.json");
  // cdktf shows an app's output, and shows it again when the app fails. It does not when the app exits with 0, and fails
  // all the same because the manifest is missing.
  const failure = inCdktf ? 0 : 1;
  // After a failure, an old manifest must not pass for what the code says now.
  rmSync(manifest, { force: true });
  // Never the compiler's own exit code: it is 2, which means "needs acknowledgement" when a review exits with it.
  if (!(await compile())) process.exit(failure);
  if (debugging) process.setSourceMapsEnabled(true);
  const fail = (error) => {
    rmSync(manifest, { force: true });
    const sentence = sentenceOf(error);
    if (inCdktf) process.stdout.write(`${sentence}\n${CONSEQUENCE}\n`);
    else process.stderr.write(`${sentence}\n`);
    process.exit(failure);
  };
  process.once("unhandledRejection", fail);
  try {
    runMain(at("dist/main.js"), manifest);
  } catch (error) {
    fail(error);
  }
  // A rejected promise is reported once the program has run.
  await new Promise(setImmediate);
  process.off("unhandledRejection", fail);
  if (verb && !inCdktf) require(at("dist/cli/homelab.js")).main();
}

module.exports = { runMain, sentenceOf };
if (require.main === module) main(process.argv.slice(2));
