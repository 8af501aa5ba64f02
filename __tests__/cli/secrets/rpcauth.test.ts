import { belongsTo, isRpcauth, rpcauth } from "../../../cli/secrets/rpcauth";

/** From Bitcoin Core's own test, test/functional/rpc_users.py. */
const PASSWORD = "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM=";
const SALT = "93648e835a54c573682c2eb19f882535";
const HASH = `${SALT}$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144`;

test("is the salt and the hash that Bitcoin Core's rpcauth.py makes", () => {
  expect(rpcauth(PASSWORD, SALT)).toBe(HASH);
});

test("has a salt of 16 random bytes, another one each time", () => {
  expect(rpcauth(PASSWORD)).toMatch(/^[0-9a-f]{32}\$[0-9a-f]{64}$/);
  expect(rpcauth(PASSWORD)).not.toBe(rpcauth(PASSWORD));
});

test("belongs to its password and to no other", () => {
  expect(belongsTo(rpcauth(PASSWORD), PASSWORD)).toBe(true);
  expect(belongsTo(HASH, `${PASSWORD}x`)).toBe(false);
  expect(belongsTo("", PASSWORD)).toBe(false);
  expect(belongsTo("no hash", PASSWORD)).toBe(false);
});

test.each(["", "$", HASH.toUpperCase(), `user:${HASH}`, `${HASH}$x`, `${HASH}\n`, HASH.slice(1 + SALT.length)])(
  "is not %j, at which bitcoind would refuse to start",
  (text) => expect(isRpcauth(text)).toBe(false),
);

test("may have any salt, as bitcoind takes it", () => expect(isRpcauth(HASH.replace(SALT, "salt"))).toBe(true));
