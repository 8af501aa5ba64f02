import { parseImage } from "../../nomad/image";
import { pauseText } from "../../nomad/pause";
import { backupLines } from "../backup/text";
import { coloured } from "../shared/mood";
import { ageText, type Cell, type Style, table, WIDTH, wrap } from "../shared/text";
import type { StatusReport } from "./model";
import type { InstanceView, ServiceView } from "./services";

/** Everything on one screen, as the owner reads it. */
export function statusText(report: StatusReport, style: Style): string {
  const { bold, green, red, yellow } = style;
  const { stack, nomadAddress, well, pause } = report;
  const head = `${bold(stack)} at ${nomadAddress}: ${well ? green("well") : red("something is wrong")}`;
  const paused = pause ? [yellow(pauseText(pause))] : [];
  const sections = [
    [head, ...paused],
    [bold("Machines"), ...machines(report, style)],
    [bold("Services"), ...services(report, style)],
    [bold("Volumes"), ...volumes(report, style)],
    ...(report.backup ? [[bold("Backup"), ...backupLines(report.backup, style)]] : []),
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function machines({ nodes }: StatusReport, style: Style): string[] {
  const rows = nodes.map(({ name, status, eligible, draining, freeMemory, memory, mood }): Cell[] => [
    [name],
    [coloured(style, mood, status)],
    [draining ? "draining" : eligible ? "eligible" : style.yellow("ineligible")],
    [`${freeMemory}`],
    [`${memory}`],
  ]);
  const columns = [
    { title: "MACHINE" },
    { title: "STATUS" },
    { title: "TAKES JOBS" },
    { title: "FREE MiB", right: true },
    { title: "OF", right: true },
  ];
  return table(columns, rows, style);
}

function services({ services }: StatusReport, style: Style): string[] {
  const rows = services.map((service): Cell[] => {
    const { name, jobVersion, metaVersion, instances, says, mood, problem } = service;
    const told = problem && says && problem !== says ? [problem, says] : [problem ?? says ?? healthText(instances)];
    const version = [metaVersion && `v${metaVersion}`, jobVersion !== undefined && `job ${jobVersion}`].filter(Boolean);
    return [
      [name],
      [version.join(", ")],
      imageLines(service, style),
      instances.map(({ node }) => node),
      instances.map(({ restarts }) => (restarts > 0 ? style.yellow(String(restarts)) : "0")),
      instances.map(({ uptime }) => (uptime === undefined ? "" : ageText(uptime))),
      // Of many instances the first line is enough: their ports are alike.
      instances.map(({ addresses }) => addresses[0] ?? ""),
      told.flatMap((text) => wrap(text, 40)).map((line) => coloured(style, mood, line)),
    ];
  });
  const columns = [
    { title: "SERVICE" },
    { title: "VERSION" },
    { title: "IMAGE" },
    { title: "ON" },
    { title: "AGAIN", right: true },
    { title: "UP", right: true },
    { title: "ADDRESS" },
    { title: "HEALTH" },
  ];
  return [
    ...table(columns, rows, style),
    style.dim("  (again: restarts in the last 24 h)"),
    ...deployments(services, style),
  ];
}

function healthText(instances: readonly InstanceView[]): string {
  return [...new Set(instances.map(({ health }) => health))].join(", ") || "nothing runs";
}

/** Without registry and digest; in full where it is not what was synthesized. */
function imageLines({ image, synthesizedImage }: ServiceView, { yellow }: Style): string[] {
  const short = (reference: string) => {
    const { repository, tag, digest } = parseImage(reference);
    const name = repository.split("/").slice(-1)[0] ?? "";
    return tag ? `${name}:${tag}` : `${name}${digest ? `@${digest.slice(0, 19)}` : ""}`;
  };
  if (synthesizedImage === undefined) return [short(image)];
  const [live, code] = [short(image), short(synthesizedImage)];
  return [live, yellow(live === code ? "code: another" : `code: ${code}`)];
}

/** Of those that are not simply done, each. */
function deployments(services: readonly ServiceView[], { dim }: Style): string[] {
  const known = services.filter(({ deployment }) => deployment);
  const told = known.filter(({ deployment }) => deployment !== "successful");
  if (known.length > 0 && told.length === 0) return [dim("  last deployments: all successful")];
  return told.map(({ name, deployment }) => `  last deployment of ${name}: ${deployment}`);
}

function volumes({ volumes, plugins }: StatusReport, style: Style): string[] {
  const rows = volumes.map(({ id, writers, readers, mood, problem }): Cell[] => [
    [id],
    [writers.join(", ") || "nobody"],
    [readers.join(", ")],
    [coloured(style, mood, problem ?? "well")],
  ]);
  const columns = [{ title: "VOLUME" }, { title: "WRITTEN BY" }, { title: "READ BY" }, { title: "" }];
  const plugin = plugins.flatMap(({ id, controllers, nodes, mood }) =>
    wrap(
      `  CSI plugin ${id}: controllers ${coloured(style, mood, controllers)}, nodes ${coloured(style, mood, nodes)}`,
      WIDTH,
    ),
  );
  return [...(rows.length > 0 ? table(columns, rows, style) : ["  none"]), ...plugin];
}
