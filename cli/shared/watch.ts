import { Duration } from "../../nomad/duration";
import { NomadError } from "../../nomad/nomad-error";
import { printable } from "./text";

/** After that it is told what is waited for. */
const SILENCE = Duration.seconds(2);
/** How often it is told where standard error is no terminal, as in a log. */
const REPEAT = Duration.seconds(30);
const POLL = Duration.seconds(1);

/** Ctrl-C was pressed. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Why something broke off, to go on with a semicolon. */
export function reasonOf(error: unknown): string {
  return error instanceof Interrupted ? "interrupted" : (error as Error).message;
}

/** Resolves after `length`. */
export function sleep(length: Duration): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, length.toMilliseconds()));
}

/**
 * What a verb has that takes its time and changes things: it tells on standard error what is waited for, from the third
 * second on, and Ctrl-C ends it between two steps, never within one.
 */
export class Watch {
  /** @throws what `work` throws. */
  static async over<T>(write: (text: string) => void, work: (watch: Watch) => Promise<T>): Promise<T> {
    const watch = new Watch(write);
    const interrupt = () => watch.interrupt();
    process.on("SIGINT", interrupt);
    try {
      return await work(watch);
    } finally {
      process.off("SIGINT", interrupt);
      watch.end();
    }
  }

  /** The same for what only looks: Ctrl-C ends the program at once, as nothing can be left half-done. */
  static async looking<T>(write: (text: string) => void, what: string, work: () => Promise<T>): Promise<T> {
    const watch = new Watch(write);
    watch.tell(what);
    try {
      return await work();
    } finally {
      watch.end();
    }
  }

  private readonly terminal = process.stderr.isTTY === true;
  private readonly timer: NodeJS.Timeout;
  private text = "";
  private since = Date.now();
  private told = { text: "", at: 0 };
  private interrupted = false;
  private wake: (() => void) | undefined;

  private constructor(private readonly write: (text: string) => void) {
    this.timer = setInterval(() => this.show(), POLL.toMilliseconds());
    this.timer.unref();
  }

  /** What is going on from now on. */
  tell(text: string): void {
    if (text === this.text) return;
    this.clear();
    this.text = text;
    this.since = Date.now();
  }

  /** @throws Interrupted when Ctrl-C was pressed. */
  check(): void {
    if (this.interrupted) throw new Interrupted("interrupted");
  }

  /**
   * Asks once a second until the answer is not undefined. A server that is away for a moment is asked again.
   *
   * @param ask may change what is told while it waits.
   * @throws Interrupted; an error that names what was waited for when the time is over.
   */
  async until<T>(what: string, within: Duration, ask: () => Promise<T | undefined>): Promise<T> {
    const end = Date.now() + within.toMilliseconds();
    this.tell(`waiting for ${what}`);
    let last = "";
    for (;;) {
      this.check();
      try {
        const answer = await ask();
        if (answer !== undefined) return answer;
        last = "";
      } catch (error) {
        if (!isPassing(error)) throw error;
        last = `; ${(error as Error).message}`;
        this.tell(`waiting for ${what}${last}`);
      }
      if (Date.now() >= end) throw new Error(`${what} did not come within ${within}${last}`);
      await this.sleep(POLL);
    }
  }

  private sleep(length: Duration): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, length.toMilliseconds());
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private interrupt(): void {
    this.clear();
    // Whoever presses it twice does not want to wait for the step to end.
    if (this.interrupted) {
      this.write(`ended at once, while ${printable(this.text)}\n`);
      process.exit(130);
    }
    this.write("stops when this step is done; press Ctrl-C again to stop at once\n");
    this.interrupted = true;
    this.wake?.();
  }

  private show(): void {
    const now = Date.now();
    if (this.text === "" || now - this.since < SILENCE.toMilliseconds()) return;
    const line = `${printable(this.text)} (${Math.round((now - this.since) / 1000)} s)`;
    if (this.terminal) {
      this.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
      this.told = { text: this.text, at: now };
    } else if (this.told.text !== this.text || now - this.told.at >= REPEAT.toMilliseconds()) {
      this.write(`${line}\n`);
      this.told = { text: this.text, at: now };
    }
  }

  private clear(): void {
    if (this.terminal && this.told.at > 0) this.write("\r\x1b[K");
  }

  private end(): void {
    clearInterval(this.timer);
    this.clear();
  }
}

/** No answer, or a server without a leader: it may be another a moment later. */
function isPassing(error: unknown): boolean {
  return error instanceof NomadError && (error.status === undefined || error.status >= 500 || error.status === 429);
}
