import type { SecretRecord } from "../../model/homelab";
import { parseImage } from "../../nomad/image";
import type { Scenario } from "../../rules/placement";
import type { Verdict } from "../../rules/rule";
import { type Cell, grouped, type Style, table, WIDTH, wrap } from "../shared/text";
import type { Overview, PortView, ServiceView, TaskView, VolumeView } from "./model";

/** The overview as its owner reads it, in lines of 120 columns at most. */
export function overviewText(overview: Overview, style: Style): string {
  const { stack, nomadAddress, cluster } = overview;
  const head = `${style.bold(stack)} at ${nomadAddress ?? "the address in NOMAD_ADDR"}, datacenter ${cluster.datacenter}`;
  const sections = [
    services(overview, style),
    secrets(overview, style),
    placement(overview, style),
    list(
      "Notices",
      overview.notices.map(({ path, text }) => `${path}: ${text}`),
      style,
    ),
    ...findings(overview, style),
    acknowledgements(overview, style),
  ];
  return `${[[head], ...sections].map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function list(title: string, items: readonly string[], { bold }: Style): string[] {
  if (items.length === 0) return [`${bold(title)}: none`];
  return [bold(title), ...items.flatMap((item) => indented(item))];
}

function indented(text: string, indent = "  "): string[] {
  return wrap(text, WIDTH - indent.length, "  ").map((line) => indent + line);
}

/** One line for each task that keeps running; those that end by themselves are left out. */
function services(overview: Overview, style: Style): string[] {
  const { bold, dim } = style;
  const rows = overview.services.map((service): Cell[] => {
    const [main, ...beside] = service.tasks.filter(({ role }) => role === "main" || role === "sidecar");
    const running = main ? [main, ...beside] : [];
    const figures = (figure: (task: TaskView) => string) =>
      running.map((task, at) => (at > 0 ? "+" : "") + figure(task));
    return [
      [
        nameOf(service, overview),
        ...beside.map(({ name }) => `  + ${name}`),
        ...placeOf(service).map((line) => `  ${dim(line)}`),
      ],
      [service.version ?? ""],
      [...imageLines(main?.image ?? ""), ...service.volumes.map(volumeText), ...pluginLine(service)],
      service.ports.map(portText),
      figures(({ cpu, cores }) => (cores ? `${cores} cores` : String(cpu))),
      figures(({ memory }) => String(memory)),
      figures(({ memoryMax }) => (memoryMax < 0 ? "none" : String(memoryMax))),
      running.map(({ killTimeout }) => killTimeout),
      service.dependsOn,
    ];
  });
  const columns = [
    { title: "SERVICE" },
    { title: "VER", right: true },
    { title: "IMAGE, VOLUMES" },
    { title: "HOST PORTS" },
    { title: "MHz", right: true },
    { title: "MiB", right: true },
    { title: "MAX", right: true },
    { title: "STOP", right: true },
    { title: "NEEDS" },
  ];
  const legend = dim("(MHz and MiB reserved, MiB at most, time to stop)");
  return [`${bold("Services")} ${legend}`, ...table(columns, rows, style)];
}

/** The job, and the group where the job has several. */
function nameOf({ job, group, namespace }: ServiceView, { services }: Overview): string {
  const groups = services.filter((other) => other.job === job && other.namespace === namespace);
  return groups.length > 1 ? `${job}/${group}` : job;
}

function placeOf({ type, count, namespace }: ServiceView): string[] {
  const everywhere = type === "system" || type === "sysbatch";
  const number = everywhere ? ["on each client"] : count === 1 ? [] : [`${count} instances`];
  return [...number, `namespace ${namespace}`];
}

/** Broken before the name where it is long, and before the digest. */
function imageLines(image: string): string[] {
  const { repository, tag, digest } = parseImage(image);
  const name = tag ? `${repository}:${tag}` : repository;
  const slash = repository.lastIndexOf("/") + 1;
  const lines = name.length > 32 && slash > 0 ? [name.slice(0, slash), `  ${name.slice(slash)}`] : [name];
  return [...lines, ...(digest ? [`  @${digest.slice(0, "sha256:".length + 12)}`] : [])];
}

function volumeText({ id, type, readOnly, holds, managed }: VolumeView): string {
  const mode = `${id} ${readOnly ? "ro" : "rw"}`;
  return [mode, holds, type === "host" && "host volume", managed === false && "not managed"].filter(Boolean).join(", ");
}

function pluginLine({ csiPlugin }: ServiceView): string[] {
  return csiPlugin ? [`CSI plugin ${csiPlugin}`] : [];
}

function portText({ host, label }: PortView): string {
  return `${host ?? "dynamic"} ${label}`;
}

function secrets({ secrets }: Overview, { bold, dim }: Style): string[] {
  if (secrets.length === 0) return [`${bold("Secrets")}: none`];
  const groups = unique(secrets.map(variableOf)).map((variable) => {
    const keys = secrets.filter((secret) => variableOf(secret) === variable);
    return {
      heading: [`  ${variable}, read by ${unique(keys.map(({ readBy }) => readBy)).join(", ")}`],
      rows: keys.map((secret): Cell[] => [
        [`  ${secret.key}`],
        [sourceText(secret, secrets)],
        [dim(secret.description)],
      ]),
    };
  });
  return [
    `${bold("Secrets")}: ${count(secrets.length, "key")} in ${count(groups.length, "Nomad variable")}`,
    ...grouped([{}, {}, {}], groups),
  ];
}

function variableOf({ path, namespace }: SecretRecord): string {
  return `${path} in namespace ${namespace}`;
}

function sourceText({ source, rpcUser }: SecretRecord, all: readonly SecretRecord[]): string {
  const hasReader = all.some((one) => one.source === "rpc-password" && one.rpcUser === rpcUser);
  switch (source) {
    case "random":
      return "random";
    case "rpc-password":
      return "random, made together with its hash";
    case "rpc-hash":
      // Nothing in the homelab holds the password of a user outside, so it must be seen when it is made.
      return hasReader
        ? `made together with ${rpcUser}'s password`
        : `made by secrets init --show, which shows ${rpcUser}'s password`;
    case "owner":
      return "only you know it";
  }
}

function placement({ placement, cluster }: Overview, { bold, dim, green, red }: Style): string[] {
  const title = bold("Placement");
  if (placement.length === 0) return [`${title}: unknown, because no client is named`];
  const fits = placement.every((scenario) => scenario.placement.verdict === "fits");
  const capacity = (name: string) => cluster.clients.find((client) => client.name === name);
  const groups = placement.map(({ drained, placement: found }) => {
    const when = whenText(drained);
    if (found.verdict !== "fits") {
      return { heading: indented(`${when}: ${red(found.verdict)}: ${found.problem}; ${found.remedy}`), rows: [] };
    }
    const rows = found.arrangement.map(({ client, memory, cpu, instances }): Cell[] => [
      [`  ${client}`],
      [`${memory} of ${capacity(client)?.memory} MiB`],
      [`${cpu} of ${capacity(client)?.cpu} MHz`],
      wrap(instances.join(", ") || dim("nothing"), INSTANCES),
    ]);
    return { heading: [`  ${when}`], rows };
  });
  return [
    fits
      ? `${title}: ${green("everything fits")}, with any one client drained too ${dim("(one way; Nomad spreads as it likes)")}`
      : `${title}: ${red("not everything fits")}`,
    ...grouped([{}, { right: true }, { right: true }, {}], groups),
  ];
}

const INSTANCES = 66;

/** Names the client that is drained, then those of the same size. */
function whenText([first, ...alike]: Scenario["drained"]): string {
  if (first === undefined) return "all up";
  return `${first} drained${alike.length > 0 ? ` (the same holds for ${alike.join(", ")})` : ""}`;
}

function findings({ findings }: Overview, style: Style): string[][] {
  const of = (severity: Verdict["severity"]) => findings.filter((finding) => finding.severity === severity);
  const violations = of("violation");
  return [
    ...(violations.length > 0 ? [verdicts(style.red("Violations"), violations, style)] : []),
    verdicts(style.yellow("Warnings"), of("warning"), style),
  ];
}

/** What is wrong in several places is said once. */
function verdicts(title: string, found: readonly Verdict[], style: Style): string[] {
  if (found.length === 0) return list(title, [], style);
  const cause = ({ rule, problem }: Verdict) => `${rule}: ${problem}`;
  const causes = unique(found.map(cause)).map((text) => {
    const alike = found.filter((verdict) => cause(verdict) === text);
    const places = alike.map(({ path, place, value }) => `${path}: ${place} = ${value}`);
    const remedies = unique(alike.map(({ remedy }) => `remedy: ${remedy}`));
    return [...indented(text), ...[...places, ...remedies].flatMap((line) => indented(line, "    "))];
  });
  return [style.bold(title), ...causes.flat()];
}

function acknowledgements({ acknowledgements }: Overview, style: Style): string[] {
  const items = acknowledgements.map(({ path, rule, reason, findings }) => {
    const answers = findings > 0 ? count(findings, "finding") : style.yellow("no finding any more: take it out");
    return `${path}: ${rule}: ${reason} (${answers})`;
  });
  return list("Acknowledged", items, style);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
