import type { Command } from "commander";
import { askName, confirm } from "./prompt";
import { type Target, targetsIn } from "./target";
import { printable, printableJson, type Style, styleFor, WIDTH, wrap } from "./text";
import { Watch } from "./watch";

/** Options that mean the same wherever a verb has them. */
export interface Options {
  /** The stack that is meant. */
  readonly stack?: string;
  /** Standard output is for programs. */
  readonly json?: true;
  /** Do not ask. */
  readonly yes?: true;
  /** The name of what is at stake, given beforehand. */
  readonly confirm?: string;
}

/** One run of a verb: where it prints, whom it can ask, and whether a program reads what it prints. */
export class Session {
  private readonly options: Options;

  constructor(private readonly command: Command) {
    this.options = command.opts();
  }

  /** Whether a program reads standard output. */
  get json(): boolean {
    return this.options.json === true;
  }

  get style(): Style {
    return styleFor(this.command.configureOutput().getOutHasColors?.() ?? false);
  }

  /** Writes to standard output, whoever reads it. */
  write(text: string): void {
    this.command.configureOutput().writeOut?.(printable(text));
  }

  /** Tells a person what is done, in lines of their own; a program is told at the end. */
  say(text: string): void {
    if (!this.json)
      this.write(
        `${text
          .split("\n")
          .flatMap((line) => wrap(line, WIDTH, "  "))
          .join("\n")}\n`,
      );
  }

  /** Says something on standard error, which no program reads. */
  note(text: string): void {
    this.writeErr(`${printable(text)}\n`);
  }

  warn(text: string): void {
    this.note(`warning: ${text}`);
  }

  /**
   * Prints a result.
   *
   * @param text for a person. @default - nothing: it was said before
   */
  print(result: unknown, text?: (style: Style) => string): void {
    if (this.json) this.write(`${printableJson(result)}\n`);
    else if (text) this.write(text(this.style));
  }

  /** The stacks that are meant. @throws when nothing is synthesized, or there is no stack of that name. */
  targets(): Target[] {
    const { targets, warnings } = targetsIn(this.options.stack);
    for (const warning of warnings) this.warn(warning);
    return targets;
  }

  /** The one stack that is meant. @throws when there are several and none is named. */
  target(): Target {
    const [target, ...more] = this.targets();
    if (target && more.length === 0) return target;
    const names = [target, ...more].map((one) => one?.stack).join(", ");
    throw new Error(`there are several stacks with jobs: ${names}; choose one with --stack`);
  }

  /** Looks at what Nomad has; who is asked is told when an answer takes its time. @throws what `look` throws. */
  looking<T>(targets: readonly Pick<Target, "client">[], look: () => Promise<T>): Promise<T> {
    const addresses = targets.map(({ client }) => client.address).join(", ");
    return Watch.looking((text) => this.writeErr(text), `asking ${addresses}`, look);
  }

  /** Does what takes its time and changes things; see {@link Watch}. @throws what `work` throws. */
  watch<T>(work: (watch: Watch) => Promise<T>): Promise<T> {
    return Watch.over((text) => this.writeErr(text), work);
  }

  /** Asks before something is done. @throws when it is not wanted, or nobody can be asked. */
  async consent(question: string): Promise<void> {
    if (this.options.yes) return;
    if (this.isUnattended)
      throw new Error("nobody can be asked here, so nothing was done; --yes goes on without asking");
    if (!(await confirm(`${question} [y/N] `))) throw new Error("nothing was done");
  }

  /**
   * Asks for the name of what is at stake, since a yes is typed too easily.
   *
   * @throws when another one is given or typed, or nobody can be asked.
   */
  async confirmName(name: string): Promise<void> {
    const { confirm: given } = this.options;
    if (given === undefined && this.isUnattended) {
      throw new Error(`nobody can be asked here, so nothing was done; --confirm ${name} says that you mean it`);
    }
    const typed = given ?? (await askName(`type ${name} to go on: `));
    if (typed !== name) throw new Error(`"${typed}" is not ${name}: nothing was done`);
  }

  private get isUnattended(): boolean {
    return this.json || !process.stdin.isTTY || !process.stderr.isTTY;
  }

  private writeErr(text: string): void {
    this.command.configureOutput().writeErr?.(text);
  }
}
