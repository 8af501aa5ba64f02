import { event, Programs, ScriptedNomad } from "./scripted-nomad";

const nomad = new ScriptedNomad();
const programs = new Programs();
let electrs: number;
let hub: number;
beforeAll(() => nomad.start());
afterAll(() => nomad.stop());
beforeEach(async () => {
  electrs = await programs.electrs(930_000);
  hub = await programs.hub({ running: true, setupCompleted: true });
  nomad.answers = {};
  nomad.registrations = {};
  nomad.services = { electrs: { port: electrs }, albyhub: { port: hub } };
});
afterEach(() => programs.stop());

const status = async () => {
  const { code, out, err } = await nomad.run(["status", "--json"]);
  expect(err).toMatch(/^(asking .*\n)*$/);
  const [stack] = JSON.parse(out).stacks;
  const of = (name: string) => {
    const { mood, problem, says } = stack.services.find((one: { name: string }) => one.name === name);
    return { mood, problem, says };
  };
  return { code, well: stack.well, bitcoin: of("bitcoin"), electrs: of("electrs"), albyhub: of("albyhub") };
};

test("what works is well", async () => {
  expect(await status()).toEqual({
    code: 0,
    well: true,
    bitcoin: { mood: "good", says: "synced, height 930000" },
    electrs: { mood: "good", says: "answers server.ping; tip 930000 of bitcoind's 930000" },
    albyhub: { mood: "good", says: "Lightning runs" },
  });
});

describe("Alby Hub is not well", () => {
  const page = (info: object) => programs.hub({ setupCompleted: true, running: false, ...info });

  test("when it refuses to start, whatever Nomad called it before", async () => {
    const reason = "refuses to start: the volume albyhub-data is empty: if this is a new Alby Hub, …";
    nomad.services.albyhub = { checks: { probe: [503, reason] }, state: "pending", up: 1 };
    const { code, well, albyhub } = await status();
    expect([code, well, albyhub.mood]).toEqual([2, false, "bad"]);
    expect(albyhub.problem).toBe(`albyhub failure: ${reason}`);
  });

  test("when it ends again and again, whatever its check said last; and status repeats its last words", async () => {
    const events = [3, 2, 1].flatMap((at) => [
      event("Started", at + 0.1),
      event("Terminated", at, "Exit Code: 1"),
      event("Restarting", at),
    ]);
    const stdout = '{"level":"info"}\nfailed to open database: connection refused\n';
    nomad.services.albyhub = { events, state: "pending", up: 1, stdout, stderr: "entry: waiting for electrs\n" };
    const { code, albyhub } = await status();
    expect([code, albyhub.mood]).toEqual([2, "bad"]);
    expect(albyhub.problem).toBe(
      "albyhub ends again and again, 3 times in the last 15 min: Exit Code: 1; it said: failed to open database: connection refused",
    );
    // It has come up since.
    nomad.services.albyhub = { events, up: 3, port: hub };
    expect((await status()).albyhub.mood).toBe("good");
  });

  test("nor ending again and again because its owner restarts it", async () => {
    const events = [3, 2, 1].flatMap((at) => [
      event("Restart Signaled", at + 0.1, "User requested running tasks to restart"),
      event("Terminated", at, "Exit Code: 0"),
      event("Started", at - 0.1),
    ]);
    nomad.services.albyhub = { events, up: 1, port: hub };
    expect((await status()).albyhub.mood).toBe("good");
  });

  test("while it waits: yellow while electrs is not ready, red when electrs is", async () => {
    const text = "waiting since 2026-11-28 08:00 UTC for a complete index of electrs at 10.0.0.1:50001";
    nomad.services.albyhub = { checks: { probe: [202, text] } };
    nomad.services.electrs = { checks: { probe: [503, "not ready: indexing since 2026-11-28 08:00 UTC"] } };
    expect(await status()).toMatchObject({
      code: 0,
      well: false,
      electrs: { mood: "waiting", problem: "electrs failure: not ready: indexing since 2026-11-28 08:00 UTC" },
      albyhub: { mood: "waiting", problem: text },
    });
    nomad.services.electrs = { port: electrs };
    expect(await status()).toMatchObject({
      code: 2,
      albyhub: { mood: "bad", problem: `${text}; but electrs is well` },
    });
    // It may have become well a moment ago.
    nomad.services.albyhub = { checks: { probe: [202, text] }, up: 5 };
    expect(await status()).toMatchObject({ code: 0, well: false, albyhub: { mood: "waiting" } });
  });

  test("when nobody can say whether Lightning runs", async () => {
    nomad.services.albyhub = {};
    const { code, well, albyhub } = await status();
    expect([code, well, albyhub.mood]).toEqual([2, false, "bad"]);
    expect(albyhub.says).toMatch(/^Lightning unknown: it does not answer: connect ECONNREFUSED/);
  });

  test("while it is slow to start, with the prop to raise", async () => {
    const text =
      "the Lightning node is starting since 2026-11-28 10:00 UTC, and is restarted after 240 s; startDeadline is 60 s, and 2 starts before this one took longer: raise startDeadline";
    nomad.services.albyhub = { checks: { probe: [202, text] } };
    expect(await status()).toMatchObject({ code: 0, well: false, albyhub: { mood: "waiting", problem: text } });
  });

  test("for as long as its probe tells, however often it was started since; and is watched while its node runs", async () => {
    const at = (minutes: number) =>
      `${new Date(Date.now() - minutes * 60_000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const late = `the Lightning node is starting since ${at(30)}; last ran ${at(15 * 60)}; it is restarted after 14400 s; startDeadline is 600 s`;
    const absences = async () => JSON.parse((await nomad.run(["status", "--json"])).out).stacks[0].absences;
    nomad.services.albyhub = { checks: { probe: [202, late] }, up: 30 };
    expect(await absences()).toEqual([
      expect.objectContaining({ mood: "bad", text: expect.stringContaining("for at least 15 h;") }),
    ]);
    nomad.services.albyhub = { port: hub };
    nomad.registrations.albyhub = [{ JobID: "other", AllocID: "alloc-other", Address: "10.0.0.2", Port: 1 }];
    expect([(await status()).albyhub.mood, await absences()]).toEqual(["bad", []]);
  });

  test("while its owner must unlock it or set it up", async () => {
    const port = await page({});
    nomad.services.albyhub = { port, checks: { probe: [202, "locked: its owner unlocks it by hand"] } };
    expect((await status()).albyhub).toMatchObject({
      mood: "bad",
      problem: "Lightning does not run: locked: its owner unlocks it by hand",
    });
    nomad.services.albyhub = {
      port: await page({ setupCompleted: false }),
      checks: { probe: [202, "set-up is open to whoever comes first"] },
    };
    expect((await status()).albyhub).toMatchObject({ mood: "bad", problem: expect.stringMatching(/set-up is open/) });
  });

  test("when its page loads and its node does not run, though the probe saw it half a minute ago", async () => {
    nomad.services.albyhub = { port: await page({}) };
    expect((await status()).albyhub.mood).toBe("bad");
  });
});

describe("electrs is not well", () => {
  test("when it is silent and was ready before: yellow at first, red when Nomad is about to restart it", async () => {
    const text = "silent since 2026-11-28 10:03 UTC, was ready before";
    const port = await programs.electrs(undefined);
    nomad.services.electrs = { port, checks: { probe: [503, text] } };
    expect(await status()).toMatchObject({
      code: 0,
      well: false,
      electrs: { mood: "waiting", problem: `electrs failure: ${text}` },
    });
    nomad.services.electrs = { port, checks: { probe: [503, text], silence: [503, text] } };
    expect(await status()).toMatchObject({ code: 2, electrs: { mood: "bad", problem: `electrs failure: ${text}` } });
  }, 30_000);

  test("a moment after Nomad restarted it, and not for what a check saw before that", async () => {
    const text = "silent since 2026-11-28 10:03 UTC, was ready before";
    nomad.services.electrs = { port: electrs, up: 0.2, checks: { silence: [503, text, 0.4] } };
    expect(await status()).toMatchObject({
      code: 0,
      well: false,
      electrs: { mood: "waiting", problem: "1 of 2 checks so far", says: expect.stringMatching(/^answers/) },
    });
  });

  test("when it answers and has stopped following bitcoind", async () => {
    nomad.services.electrs = { port: await programs.electrs(929_997) };
    expect((await status()).electrs).toMatchObject({
      mood: "waiting",
      says: "answers, 3 blocks behind: tip 929997 of bitcoind's 930000",
    });
    nomad.services.electrs = { port: await programs.electrs(929_990) };
    expect((await status()).electrs.mood).toBe("bad");
  });

  test("when its secret is missing", async () => {
    const text = "refuses to start: the Nomad variable nomad/jobs/e/e/e has no value under the key k";
    nomad.services.electrs = { checks: { probe: [503, text], silence: [503, text] }, state: "pending" };
    expect((await status()).electrs).toMatchObject({ mood: "bad", problem: `electrs failure: ${text}` });
  });
});

describe("an allocation that does not get to run", () => {
  test.each([
    [
      "a secret that is missing",
      3,
      [event("Template", 2, "Missing: nomad.var.block(nomad/jobs/electrs/electrs/electrs@bitcoin.global)")],
      "pending for 3 min: electrs: it waits for the Nomad variable nomad/jobs/electrs/electrs/electrs with bitcoin_rpc_password, which is not there: run homelab secrets init",
    ],
    [
      "an image that is not there",
      3,
      [event("Driver", 1.9, "Downloading image"), event("Driver Failure", 1.8, 'Failed to pull `x`: "not found"')],
      'pending for 3 min: electrs: Failed to pull `x`: "not found"',
    ],
    ["a slow image", 10, [event("Driver", 9, "Downloading image")], "pending for 10 min: electrs: Downloading image"],
    [
      "a claim that another holds",
      10,
      [],
      expect.stringMatching(/^pending for 10 min: Nomad gives no reason; a volume/),
    ],
  ])("for %s is red, with the reason", async (_, made, events, problem) => {
    nomad.services.electrs = { status: "pending", state: "pending", made, events };
    expect(await status()).toMatchObject({ code: 2, electrs: { mood: "bad", problem } });
  });

  test("is yellow at first, and while what it replaces may still be stopping", async () => {
    nomad.services.electrs = { status: "pending", state: "pending", made: 0.5 };
    nomad.services.bitcoin = { status: "pending", state: "pending", made: 19 };
    expect(await status()).toMatchObject({
      code: 0,
      well: false,
      electrs: { mood: "waiting", problem: "pending" },
      bitcoin: { mood: "waiting", problem: "pending" },
    });
    nomad.services.bitcoin = { status: "pending", state: "pending", made: 21 };
    expect((await status()).bitcoin.mood).toBe("bad");
  });
});

describe("a service's name", () => {
  const ghost = { JobID: "ghost", AllocID: "x", Address: "10.0.0.9", Port: 23_456 };

  test("that another job registers too is told, with its address", async () => {
    nomad.registrations["bitcoin-rpc"] = [ghost];
    expect(await status()).toMatchObject({
      code: 2,
      bitcoin: {
        mood: "bad",
        problem: "bitcoin-rpc is also registered by job ghost, at 10.0.0.9:23456: rename its service, or stop that job",
      },
    });
  });

  test("that an allocation of its own left behind is told too", async () => {
    nomad.registrations.electrs = [{ ...ghost, JobID: "electrs", AllocID: "0123456789" }];
    expect((await status()).electrs.problem).toBe(
      "electrs is also registered by an allocation of electrs that has ended, 01234567, at 10.0.0.9:23456",
    );
  });
});

test("the first line names what waits, and is never well while something does", async () => {
  nomad.services.electrs = { checks: { probe: [503, "not ready: indexing since 2026-11-28 08:00 UTC"] } };
  nomad.services.albyhub = { checks: { probe: [202, "waiting since 2026-11-28 08:00 UTC for a complete index"] } };
  const { code, out } = await nomad.run(["status"]);
  expect([code, out.split("\n")[0]]).toEqual([0, `homelab at ${nomad.address}: not well yet: electrs, albyhub`]);
});
