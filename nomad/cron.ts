/**
 * The schedule of a periodic job, as Nomad reads it: five fields, six with a year at the end, or seven with seconds at the
 * beginning. Nomad registers a job whose schedule never comes, such as the 31st of February, and says nothing.
 *
 * @see https://github.com/hashicorp/cronexpr/blob/v1.1.3/cronexpr_parse.go
 */
export class Cron {
  /** @throws when Nomad would not read it, in words that go on after the schedule. */
  static parse(text: string): Cron {
    const fields = ALIASES.reduce((told, [alias, fields]) => told.replaceAll(alias, fields), text).match(/\S+/g) ?? [];
    if (fields.length < 5) throw new Error("has fewer than five fields");
    const all = fields.length >= 7 ? fields.slice(0, 7) : ["0", ...fields, ...(fields.length === 5 ? ["*"] : [])];
    const [second = "", minute = "", hour = "", day = "", month = "", weekday = "", year = ""] = all;
    return new Cron(
      listOf(second, SIXTY, "second"),
      listOf(minute, SIXTY, "minute"),
      listOf(hour, { ...SIXTY, last: 23 }, "hour"),
      parse(day, DAY, "day-of-month"),
      listOf(month, MONTH, "month"),
      parse(weekday, WEEKDAY, "day-of-week"),
      listOf(year, YEAR, "year"),
    );
  }

  private constructor(
    private readonly seconds: readonly number[],
    private readonly minutes: readonly number[],
    private readonly hours: readonly number[],
    private readonly day: Field,
    private readonly months: readonly number[],
    private readonly weekday: Field,
    private readonly years: readonly number[],
  ) {}

  /** The next time after this one, in UTC; undefined when there is none. */
  next(after: Date): Date | undefined {
    const from = after.getTime();
    if ([this.seconds, this.minutes, this.hours].some(({ length }) => length === 0)) return undefined;
    for (const year of this.years.filter((one) => one >= after.getUTCFullYear())) {
      for (const month of this.months) {
        for (const day of this.daysOf(year, month)) {
          if (Date.UTC(year, month - 1, day + 1) <= from) continue;
          for (const hour of this.hours) {
            if (Date.UTC(year, month - 1, day, hour + 1) <= from) continue;
            for (const minute of this.minutes) {
              for (const second of this.seconds) {
                const time = Date.UTC(year, month - 1, day, hour, minute, second);
                if (time > from) return new Date(time);
              }
            }
          }
        }
      }
    }
    return undefined;
  }

  /**
   * The last time at or before this one, by the clocks of a time zone, to the minute.
   *
   * @param since it is not looked for before that; undefined when there is none.
   */
  last(before: Date, timeZone: string, since: Date): Date | undefined {
    const clock = new Intl.DateTimeFormat("en", { timeZone, hourCycle: "h23", ...PARTS });
    for (let at = Math.floor(before.getTime() / MINUTE) * MINUTE; at >= since.getTime(); ) {
      const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
      const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
      const isDay = this.years.includes(year) && this.months.includes(month) && this.daysOf(year, month).includes(day);
      if (isDay && this.hours.includes(hour) && this.minutes.includes(minute)) return new Date(at);
      // By an hour less than to midnight, since that day may have had an hour less.
      const skipped = isDay ? (this.hours.includes(hour) ? 1 : minute + 1) : (hour - 1) * 60 + minute;
      at -= Math.max(1, skipped) * MINUTE;
    }
    return undefined;
  }

  /** The days of a month on which it comes. Where both fields say which, either is enough. */
  private daysOf(year: number, month: number): number[] {
    const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
    const weekdayOf = (day: number) => new Date(Date.UTC(year, month - 1, day)).getUTCDay();
    const workday = (day: number) => {
      if (weekdayOf(day) === 6) return day > 1 ? day - 1 : day + 2;
      if (weekdayOf(day) === 0) return day < length ? day + 1 : day - 2;
      return day;
    };
    const all = Array.from({ length }, (_, at) => at + 1);
    const isAny = this.day.any && this.weekday.any;
    return all.filter((day) => {
      if (isAny) return true;
      const special = (entry: string) => {
        if (entry === "l") return day === length;
        if (entry === "lw") return day === workday(length);
        const nearest = Number(entry.slice(0, -1));
        return nearest <= length && day === workday(nearest);
      };
      const ofWeek = (entry: string) => {
        const [name = "", week] = entry.split("#");
        if (week === undefined) return weekdayOf(day) === WEEKDAY.value(name.slice(0, -1)) && day > length - 7;
        return weekdayOf(day) === WEEKDAY.value(name) && Math.ceil(day / 7) === Number(week);
      };
      return (
        (!this.day.any && (this.day.values.has(day) || this.day.special.some(special))) ||
        (!this.weekday.any && (this.weekday.values.has(weekdayOf(day)) || this.weekday.special.some(ofWeek)))
      );
    });
  }
}

const MINUTE = 60_000;
const PARTS = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;

const ALIASES = [
  ["@yearly", "0 0 0 1 1 * *"],
  ["@annually", "0 0 0 1 1 * *"],
  ["@monthly", "0 0 0 1 * * *"],
  ["@weekly", "0 0 0 * * 0 *"],
  ["@daily", "0 0 0 * * * *"],
  ["@hourly", "0 0 * * * * *"],
] as const;

/** What one field may hold. */
interface Range {
  readonly first: number;
  readonly last: number;
  /** Of a number or a name in small letters; undefined for any other text. */
  readonly value: (text: string) => number | undefined;
  /** What else it may hold. */
  readonly special?: RegExp;
}

interface Field {
  /** Whether it says nothing. */
  readonly any: boolean;
  readonly values: ReadonlySet<number>;
  readonly special: readonly string[];
}

const number = (pattern: RegExp) => (text: string) => (pattern.test(text) ? Number(text) : undefined);

const MONTHS = [
  "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
  "december",
]; // biome-ignore format: a list
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const named = (names: readonly string[], first: number, plain: (text: string) => number | undefined) => {
  return (text: string) => {
    const at = names.findIndex((name) => name === text || name.slice(0, 3) === text);
    return at >= 0 ? at + first : plain(text);
  };
};

const SIXTY: Range = { first: 0, last: 59, value: number(/^\d\d?$/) };
const DAY: Range = { first: 1, last: 31, value: number(/^\d\d?$/), special: /^(l|lw|(0?[1-9]|[12]\d|3[01])w)$/ };
const MONTH: Range = { first: 1, last: 12, value: named(MONTHS, 1, number(/^\d\d?$/)) };
const YEAR: Range = { first: 1970, last: 2099, value: number(/^\d{4}$/) };
const WEEKDAY: Range = {
  first: 0,
  last: 6,
  // Nomad's parser takes every day with a zero before it for Sunday.
  value: named(WEEKDAYS, 0, (text) => (/^0?[0-7]$/.test(text) ? (text.length > 1 ? 0 : Number(text) % 7) : undefined)),
  special: /^(\w+l|\w+#[1-5])$/,
};

function listOf(text: string, range: Range, name: string): readonly number[] {
  return [...parse(text, range, name).values].sort((a, b) => a - b);
}

function parse(text: string, range: Range, name: string): Field {
  const { first, last } = range;
  const values = new Set<number>();
  const special: string[] = [];
  let any = false;
  const entries = text.toLowerCase().split(",").filter(Boolean);
  const fail = (entry: string) => new Error(`has "${entry}" in its field ${name}`);
  if (entries.length === 0) throw fail(text);
  for (const entry of entries) {
    const [span = "", step, ...more] = entry.split("/");
    const [from = "", to, ...rest] = span.split("-");
    const interval = step === undefined ? 1 : stepOf(step);
    const start = /^[*?]$/.test(span) ? first : inside(from, range);
    const isOpen = to === undefined && (step !== undefined || /^[*?]$/.test(span));
    const end = isOpen ? last : to === undefined ? start : endOf(inside(to, range), range);
    const isRange = more.length === 0 && rest.length === 0 && !(span === "?" && step !== undefined);
    if (isRange && start !== undefined && end !== undefined && interval !== undefined && interval <= last) {
      for (let value = start; value <= end; value += interval) values.add(value);
      if (/^[*?]$/.test(entry)) any = true;
    } else if (range.special?.test(entry) && isSpecial(entry, range)) {
      special.push(entry);
    } else {
      throw fail(entry);
    }
  }
  return { any, values, special };
}

function inside(text: string, { first, last, value }: Range): number | undefined {
  const found = value(text);
  return found !== undefined && found >= first && found <= last ? found : undefined;
}

/** A range of weekdays that ends on Sunday goes on to Saturday, in Nomad's parser. */
function endOf(end: number | undefined, range: Range): number | undefined {
  return range === WEEKDAY && end === 0 ? range.last : end;
}

function stepOf(text: string): number | undefined {
  const step = /^\d\d?$|^(19[789]|20\d)\d$/.test(text) ? Number(text) : 0;
  return step >= 1 && (step <= 59 || step >= 1970) ? step : undefined;
}

function isSpecial(entry: string, range: Range): boolean {
  if (range !== WEEKDAY) return true;
  return inside(entry.replace(/(l|#[1-5])$/, ""), range) !== undefined;
}
