import type { Command } from "commander";
import type { NomadClient } from "../../nomad/client";
import { Duration } from "../../nomad/duration";
import { type AllocationStub, placedAllocations } from "../../nomad/live";
import { type LogPlace, lastLines, readLog } from "../../nomad/logs";
import { NomadError } from "../../nomad/nomad-error";
import { type Service, serviceNamed, servicesOf } from "../shared/services";
import { Session } from "../shared/session";
import { ENVIRONMENT, withOptions } from "../shared/target";
import type { Verb } from "../shared/verb";
import { sleep } from "../shared/watch";
import { lineTime } from "./lines";

interface LogOptions {
  readonly task?: string;
  readonly stderr?: true;
  readonly follow?: true;
  readonly since?: string;
}

/** What is shown of a log when nothing says how much: some hundred lines. */
const TAIL = 64 * 1024;
const POLL = Duration.seconds(2);

const HELP = `
The service is named by job, by job/group, or by a name it registers in Nomad. Shown are the last ${TAIL / 1024} KiB, with
--since all lines from then on: by the time that stands in a line, which Nomad does not add itself; a line without one
belongs to the line before. With -f it goes on, from a restart or a move to the new allocation, which is said on standard
error; when Nomad is away for a moment it asks again. Ctrl-C ends it.

Exit codes: 0 shown, 1 an error. With --json each line is { time, allocation, node, task, line }. With ACLs it takes
read-logs in the namespace.
${ENVIRONMENT}`;

export const logs: Verb = {
  examples: [
    ["homelab logs bitcoin -f", "what bitcoind says, and goes on across restarts"],
    ["homelab logs albyhub --since 1h --stderr", "the last hour of what its start script says"],
  ],
  register: (program: Command) =>
    withOptions(program.command("logs <service>"))
      .summary("what a service says")
      .description("Shows the log of a service's task by the service's name, wherever it runs.")
      .option("--task <name>", "another task than the main one")
      .option("--stderr", "standard error instead of standard output")
      .option("-f, --follow", "go on")
      .option("--since <duration>", "from so long ago on, such as 90s, 15m or 2h")
      .addHelpText("after", HELP)
      .action(run),
};

async function run(name: string, options: LogOptions, command: Command): Promise<void> {
  const session = new Session(command);
  const target = session.target();
  const service = serviceNamed(servicesOf(target), name);
  const task = options.task ?? service.main.Name;
  const tasks = service.group.Tasks.map(({ Name }) => Name);
  if (!tasks.includes(task)) throw new Error(`${service.name} has no task ${task}; it has ${tasks.join(", ")}`);
  const since = options.since === undefined ? undefined : Date.now() - Duration.parse(options.since).toMilliseconds();
  const log = new Log(target.client, service, {
    task,
    stream: options.stderr ? "stderr" : "stdout",
    show: (line, { ID, NodeName }) => {
      const time = lineTime(line);
      const known = time === undefined ? {} : { time: new Date(time).toISOString() };
      session.write(
        `${session.json ? JSON.stringify({ ...known, allocation: ID, node: NodeName, task, line }) : line}\n`,
      );
    },
    tell: (text) => session.note(`--- ${text}`),
    ...(since !== undefined && { since }),
  });
  if (options.follow) return log.follow();
  await log.once(await session.looking([target], () => log.newest()));
}

interface Settings {
  readonly task: string;
  readonly stream: LogPlace["stream"];
  readonly show: (line: string, allocation: AllocationStub) => void;
  readonly tell: (text: string) => void;
  /** Milliseconds since 1970. */
  readonly since?: number;
}

/** A service's log, from one allocation to the next. */
class Log {
  /** The last line that was shown. */
  private last: string | undefined;

  constructor(
    private readonly client: NomadClient,
    private readonly service: Service,
    private readonly settings: Settings,
  ) {}

  /** @throws when nothing has run yet. */
  async once(allocation: AllocationStub | undefined): Promise<void> {
    if (!allocation) throw new Error(`${this.service.name} has not run yet; homelab status says why`);
    await this.read(allocation, { follow: false, tail: this.tail, signal: new AbortController().signal });
  }

  /** Ends only with an error that does not pass. */
  async follow(): Promise<void> {
    let shown: AllocationStub | undefined;
    for (let told = false; ; ) {
      const allocation = await this.newest().catch(passing(this.settings.tell));
      if (!allocation) {
        if (!told) this.settings.tell(`${this.service.name} has not run yet; waits for it`);
        told = true;
        await sleep(POLL);
        continue;
      }
      const { ID, NodeName } = allocation;
      if (shown) this.settings.tell(`${this.service.name} goes on as allocation ${ID.slice(0, 8)} on ${NodeName}`);
      await this.followOne(allocation, shown ? undefined : this.tail);
      shown = allocation;
    }
  }

  /** All of it when lines are chosen by their time. */
  private get tail(): number | undefined {
    return this.settings.since === undefined ? TAIL : undefined;
  }

  /** Follows one allocation until another has taken its place, whatever becomes of the connection. */
  private async followOne(allocation: AllocationStub, tail: number | undefined): Promise<void> {
    const stop = new AbortController();
    const moved = this.untilMoved(allocation, stop);
    for (let again = false; !stop.signal.aborted; again = true) {
      try {
        if (again) await this.catchUp(allocation);
        await this.read(allocation, { follow: true, tail: again ? 0 : tail, signal: stop.signal });
      } catch (error) {
        passing(this.settings.tell)(error);
      }
      if (!stop.signal.aborted) await sleep(POLL);
    }
    await moved;
    await this.catchUp(allocation).catch(passing(() => {}));
  }

  /** Aborts when a newer allocation has started and this one has said its last. */
  private async untilMoved({ ID }: AllocationStub, stop: AbortController): Promise<void> {
    while (!stop.signal.aborted) {
      await sleep(POLL);
      const [newest, ...older] = await this.started().catch(() => []);
      const own = older.find((one) => one.ID === ID);
      const speaks = own?.ClientStatus === "running" && own.TaskStates?.[this.settings.task]?.State !== "dead";
      if (newest && newest.ID !== ID && !speaks) stop.abort();
    }
  }

  /** Shows what was said while the connection was cut. */
  private async catchUp(allocation: AllocationStub): Promise<void> {
    const { task, stream } = this.settings;
    const lines = await lastLines(this.client, { allocation, task, stream }, TAIL);
    const at = this.last === undefined ? -1 : lines.lastIndexOf(this.last);
    for (const line of lines.slice(at + 1)) this.take(line, allocation);
  }

  private async read(
    allocation: AllocationStub,
    options: { readonly follow: boolean; readonly tail: number | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const { task, stream } = this.settings;
    let rest = "";
    for await (const piece of readLog(this.client, { allocation, task, stream }, options)) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.take(line, allocation);
    }
    if (rest !== "") this.take(rest, allocation);
  }

  /** Shows a line, unless it is too old. */
  private take(line: string, allocation: AllocationStub): void {
    const { since = 0, show } = this.settings;
    this.time = lineTime(line) ?? this.time;
    this.last = line;
    if (this.time >= since) show(line, allocation);
  }

  /** That of the last line that had one. */
  private time = 0;

  /** The allocation that was started last; undefined when none was. */
  async newest(): Promise<AllocationStub | undefined> {
    return (await this.started())[0];
  }

  /** The allocations whose task was started, the newest first. */
  private async started(): Promise<AllocationStub[]> {
    const { job, group } = this.service;
    const all = await placedAllocations(this.client, job);
    return all
      .filter(({ TaskGroup, TaskStates }) => TaskGroup === group.Name && TaskStates?.[this.settings.task]?.StartedAt)
      .toSorted((a, b) => b.CreateIndex - a.CreateIndex);
  }
}

/** Tells of a failure that the next moment may undo; throws any other. A task that has just begun has no log yet. */
function passing(tell: (text: string) => void): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof NomadError) || (error.status !== undefined && error.status < 404)) throw error;
    if (error.status !== 404) tell(`${error.message}; asks again`);
    return undefined;
  };
}
