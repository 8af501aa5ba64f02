/** Words that settings of programs are made of, and no password is. */
const WORDS = new Set(
  `all any auto alby albyhub always bitcoin bitcoind bridge btc bolt chain cln console core critical data dark db debug
  default dev development docker electrs electrum en error esplora false fatal file full gb gib home homelab host http https
  info ipv4 ipv6 journal json kb kib ldk level light lightning linux lnd local localhost log main mainnet manual max mb mempool
  metrics mib min never node none nomad null off on only open panic pg port postgres postgresql prod production prometheus
  prune pruned public regtest rest rpc server service signet silent sqlite stable staging stderr stdout sync syslog tcp
  tb test testing testnet testnet3 testnet4 text tls tor trace true udp unix utc verbose wal wallet warn warning web yes no`.split(
    /\s+/,
  ),
);

const FORMS: readonly RegExp[] = [
  // A number with its unit, a version, a date, a range, a mode of a file.
  /^[+-]?\d{1,12}(?:\.\d{1,6}){0,3}(?: ?(?:%|[kmgt]i?b?|[nuµm]?s|min|h|d|mhz|ghz))?$/i,
  /^v?\d{1,4}(?:\.\d{1,4}){1,3}(?:-(?:alpha|beta|rc|pre)\.?\d{0,3})?$/,
  /^\d{4}-\d\d-\d\d(?:[T ][\d:.]{4,15}Z?)?$/,
  // An address, with or without a port.
  /^(?:\d{1,3}\.){3}\d{1,3}(?:\/\d\d?)?(?::\d{1,5})?$/,
  /^(?:localhost|[a-z][a-z-]{0,30}(?:\.[a-z][a-z-]{0,30}){1,4}):\d{1,5}$/,
  /^(?:localhost|[a-z][a-z-]{0,30}(?:\.[a-z][a-z-]{0,30}){1,3}\.(?:local|lan|home|internal|consul|com|org|net|io|dev))$/,
  // A path, a time zone, a language.
  /^(?:~|\.{0,2})(?:\/[a-z][a-z._-]{0,30}){1,10}\/?$/,
  /^(?:[A-Z][a-z]{2,12}\/[A-Z][a-z]{2,14}(?:_[A-Z][a-z]{2,12})?|Etc\/[A-Z]{3})$/,
  /^[a-z]{2}_[A-Z]{2}(?:\.UTF-8)?$/,
];

const URL_FORM = /^([a-z][a-z0-9+.-]{1,20}):\/\/([\w.-]{1,100}(?::\d{1,5})?)((?:\/[a-z][a-z._-]{0,30}){0,6}\/?)$/;

/** References that are filled in on the machine. */
const REFERENCE =
  /\$\{(?:NOMAD_[A-Z_a-z0-9]{1,80}|attr\.[\w.]{1,60}|node\.[\w.]{1,60}|meta\.[\w.]{1,60}|env\[[^\]]{1,60}\])\}/g;

/**
 * Whether anybody may see a value: a number, a path, an address, a word that settings are made of. Whatever else an owner
 * wrote may be a password, however it is called.
 */
export function isPlainlyHarmless(value: string): boolean {
  const text = value.trim().replace(REFERENCE, "");
  if (text.length > 300) return false;
  return text.split(/[,;\s]+/).every(isHarmlessWord);
}

function isHarmlessWord(word: string): boolean {
  if (word === "" || WORDS.has(word.toLowerCase()) || FORMS.some((form) => form.test(word))) return true;
  const [, , host, path = ""] = URL_FORM.exec(word) ?? [];
  if (host !== undefined) return !/\d{3,}[a-z]|[a-z]\d+[a-z]/.test(host) && path.length < 120;
  const parts = word.split(/[-_./:=]/);
  return (
    parts.length > 1 && parts.every((part) => part !== "" && (WORDS.has(part.toLowerCase()) || /^\d{1,6}$/.test(part)))
  );
}
