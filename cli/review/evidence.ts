import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * What around a synthesized stack says that it was deployed before: states of Terraform, a backend that was another, and
 * secrets that Ansible made for its cluster. For a plan whose own state is empty.
 *
 * @param file the stack's cdk.tf.json.
 * @param project folder of cdktf.json.
 */
export function deployedBefore(file: string, project = process.cwd()): string[] {
  const folder = dirname(file);
  const states = [project, folder].flatMap((place) =>
    namesIn(place)
      .filter((name) => /\.tfstate(?:\.|$)/.test(name))
      .map((name) => join(place, name)),
  );
  const told = states.filter(holdsNomad).map((name) => `${relative(project, name)} is a state with resources of Nomad`);
  const [was, is] = [backendBefore(folder), backendOf(file)];
  const moved = was && is && was !== is ? [`it was initialized for the backend ${was}, and now has ${is}`] : [];
  const secrets = join("ansible", ".secrets");
  const cluster = namesIn(join(project, secrets)).some((name) => !/^nomad-\d/.test(name));
  const setUp = cluster ? [`${secrets} holds the secrets of a cluster that was set up`] : [];
  return [...told, ...moved, ...setUp];
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** A state that cannot be read may hold anything. */
function holdsNomad(file: string): boolean {
  const text = readFileSync(file, "utf8");
  if (text.trim() === "") return false;
  const { resources } = (parsed(text) ?? { resources: [{ type: "nomad_unknown" }] }) as { resources?: unknown };
  return (
    Array.isArray(resources) &&
    resources.some((one) => typeof one?.type === "string" && one.type.startsWith("nomad_") && one.mode !== "data")
  );
}

function backendBefore(folder: string): string | undefined {
  const file = join(folder, ".terraform", "terraform.tfstate");
  if (!existsSync(file)) return undefined;
  const { backend } = (parsed(readFileSync(file, "utf8")) ?? {}) as { backend?: { type?: unknown } };
  return typeof backend?.type === "string" ? backend.type : undefined;
}

function backendOf(file: string): string | undefined {
  const { terraform } = (parsed(readFileSync(file, "utf8")) ?? {}) as { terraform?: { backend?: object } };
  return Object.keys(terraform?.backend ?? {})[0];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
