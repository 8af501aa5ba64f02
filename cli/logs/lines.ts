/** How far into a line its time may stand: behind a bracket, or in the first field of a JSON object. */
const HEAD = 60;

/**
 * The time that a program wrote into a line, in milliseconds since 1970: ISO 8601, as bitcoind, electrs and Alby Hub
 * write it. Without a zone it is taken for UTC.
 */
export function lineTime(line: string): number | undefined {
  const [text, zone] = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)?/.exec(line.slice(0, HEAD)) ?? [];
  const time = text === undefined ? Number.NaN : Date.parse(zone ? text : `${text}Z`);
  return Number.isNaN(time) ? undefined : time;
}
