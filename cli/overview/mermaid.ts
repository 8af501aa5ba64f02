import type { Overview, ServiceView, VolumeView } from "./model";

/** Who comes from outside, by the label of a static port. */
const USERS: Readonly<Record<string, string>> = { electrum: "wallets", http: "browsers", p2p: "Bitcoin peers" };

/** Who comes to a static port of another label. */
const ANYONE = "anyone on the LAN";

/**
 * A mermaid flowchart of services, what they need, their volumes and who comes from outside. Without images, versions
 * and sizes, so that a chart in README stays right when an image is bumped.
 *
 * @see https://mermaid.js.org/syntax/flowchart.html
 */
export function mermaid(overviews: readonly Overview[]): string {
  const charts = overviews.map((overview, at) => chart(overview, overviews.length > 1 ? `s${at + 1}_` : ""));
  return `flowchart TB\n${charts
    .flat()
    .map((line) => `  ${line}\n`)
    .join("")}`;
}

/** @param prefix keeps the nodes of several stacks apart. */
function chart({ stack, services, cluster }: Overview, prefix: string): string[] {
  const id = (...parts: readonly string[]) => prefix + parts.join("_").replaceAll(/\W/g, "_");
  // Jobs that run to an end and that one construct made are one node: together they are what their owner has.
  const batch = (one: ServiceView) =>
    services.filter(({ type, path }) => type === "batch" && parentOf(path) === parentOf(one.path));
  const isGrouped = (one: ServiceView) => one.type === "batch" && batch(one).length > 1;
  const jobId = (one: ServiceView) => id("job", one.namespace, isGrouped(one) ? parentOf(one.path) : one.job);
  const jobNode = (one: ServiceView) =>
    isGrouped(one)
      ? `${jobId(one)}[[${quote(
          unique(batch(one).map(({ job }) => job))
            .sort()
            .join("<br>"),
        )}]]`
      : `${jobId(one)}[${quote(one.job)}]`;
  const volumeId = ({ namespace }: ServiceView, volume: VolumeView) => id("volume", namespace, volume.id);
  const nasId = (server: string) => id("nas", server);

  const jobs = services.filter(({ csiPlugin }) => !csiPlugin);
  const plugins = unique(services.flatMap(({ csiPlugin }) => csiPlugin ?? []));
  const outside = jobs.flatMap((service) =>
    service.ports.flatMap(({ host, label }) => (host ? [{ service, user: USERS[label] ?? ANYONE, host, label }] : [])),
  );
  const mounts = services.flatMap((service) => service.volumes.map((volume) => ({ service, volume })));
  const volumes = mounts.map(({ service, volume }) => ({
    volume,
    line: `${volumeId(service, volume)}[(${quote([volume.id, volume.holds].filter(Boolean).join("<br>"))})]`,
  }));
  const servers = unique(volumes.flatMap(({ volume }) => volume.server ?? []));

  const inNomad = [
    ...[...jobs].sort((a, b) => Number(isGrouped(a)) - Number(isGrouped(b))).map(jobNode),
    ...plugins.map((plugin) => {
      const members = services.filter(({ csiPlugin }) => csiPlugin === plugin).map(({ job }) => job);
      return `${id("csi", plugin)}[[${quote([`CSI plugin ${plugin}`, ...unique(members)].join("<br>"))}]]`;
    }),
  ];
  const nodes = [
    ...unique(outside.map(({ user }) => `${id("user", user)}([${quote(user)}])`)),
    ...subgraph(id("nomad"), `Nomad, datacenter ${cluster.datacenter}`, unique(inNomad)),
    ...servers.flatMap((server) => {
      const there = volumes.filter(({ volume }) => volume.server === server);
      return subgraph(nasId(server), `NAS ${server}`, unique(there.map(({ line }) => line)));
    }),
    ...unique(volumes.flatMap(({ volume, line }) => (volume.server ? [] : [line]))),
  ];
  const edges = [
    ...outside.map(
      ({ service, user, host, label }) => `${id("user", user)} -->|${quote(`${host} ${label}`)}| ${jobId(service)}`,
    ),
    ...jobs.flatMap((service) =>
      service.dependsOn.flatMap((on) => {
        const needed = jobs.find(({ job }) => job === on);
        return needed ? [`${jobId(service)} -->|needs| ${jobId(needed)}`] : [];
      }),
    ),
    ...mounts.map(
      ({ service, volume }) =>
        `${jobId(service)} -->|${volume.readOnly ? "reads" : "writes"}| ${volumeId(service, volume)}`,
    ),
    ...mounts.flatMap(({ service, volume }) =>
      volume.pluginId && plugins.includes(volume.pluginId)
        ? [
            `${id("csi", volume.pluginId)} -.->|mounts| ${volume.server ? nasId(volume.server) : volumeId(service, volume)}`,
          ]
        : [],
    ),
  ];
  const lines = [...nodes, ...unique(edges)];
  return prefix ? subgraph(id("stack"), stack, lines) : lines;
}

function parentOf(path: string): string {
  return path.replace(/\/[^/]*$/, "");
}

function subgraph(id: string, title: string, lines: readonly string[]): string[] {
  return lines.length > 0 ? [`subgraph ${id}[${quote(title)}]`, ...lines.map((line) => `  ${line}`), "end"] : [];
}

function quote(text: string): string {
  return `"${text.replaceAll('"', "#quot;")}"`;
}

function unique<T>(things: readonly T[]): T[] {
  return [...new Set(things)];
}
