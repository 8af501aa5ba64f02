import { attempt } from "../cluster/command";
import type { Run } from "../cluster/run";

/** The task that writes each volume. */
const TASKS = { "bitcoin-data": "bitcoind", "electrs-data": "electrs", "albyhub-data": "albyhub" } as const;

export type Volume = keyof typeof TASKS;

/** Counts the containers that write each volume, over and over, from Docker itself: Nomad may be the one that is wrong. */
export class WriterCount {
  private most = new Map<Volume, number>();
  private samples = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly run: Run) {
    this.timer = setInterval(() => this.sample(), 500);
  }

  /** Begins to count anew. */
  reset(): void {
    this.most = new Map();
    this.samples = 0;
  }

  /** The most containers that were ever seen at once, by volume. @throws when it has hardly looked. */
  get highest(): Record<Volume, number> {
    if (this.samples < 10) throw new Error(`only ${this.samples} looks at the containers`);
    return Object.fromEntries(
      Object.keys(TASKS).map((volume) => [volume, this.most.get(volume as Volume) ?? 0]),
    ) as Record<Volume, number>;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private sample(): void {
    const names = attempt("docker", ["ps", "--format", "{{.Names}}"]).split("\n");
    const allocations = this.run.allocations();
    for (const [volume, task] of Object.entries(TASKS)) {
      const running = allocations.filter((id) => names.includes(`${task}-${id}`)).length;
      this.most.set(volume as Volume, Math.max(running, this.most.get(volume as Volume) ?? 0));
    }
    this.samples++;
  }
}
