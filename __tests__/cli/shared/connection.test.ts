import { assertReadable, withoutConnection } from "../../../cli/shared/connection";

const PASSWORD = "Hunter2!x";

describe("the connection string of Terraform's state", () => {
  test.each([
    "postgres://tf:Hunter2%2Fx%25@192.0.2.5:5432/terraform?sslmode=disable",
    "postgresql://tf@db.local/terraform",
    "postgres://tf:a.b-c_d~e!@[::1]:5432/terraform",
    "postgres://tf:pw@one:5432,two:5433/terraform",
    "host=db.local user=tf password='with a space' dbname=terraform",
    undefined,
    "",
  ])("%s is read", (PG_CONN_STR) => expect(() => assertReadable({ PG_CONN_STR })).not.toThrow());

  test.each(["%", "%zz", "/", "#", "?", " ", "\\", "<", '"', "\n", "^", "{"])(
    "a password with %j is refused, and not told",
    (sign) => {
      for (const place of [`Hunter2${sign}x`, `12${sign}x4`, `${sign}Hunter2`]) {
        const PG_CONN_STR = `postgres://tf:${place}@192.0.2.5:5432/terraform`;
        let message = "";
        try {
          assertReadable({ PG_CONN_STR });
        } catch (error) {
          message = (error as Error).message;
        }
        expect(message).toMatch(/^PG_CONN_STR cannot be read as a connection string.*\(% is %25/);
        expect(message).not.toContain("Hunter2");
      }
    },
  );

  test.each([
    "postgres://tf:Hunter2@host:54x2/db",
    "Hunter2",
    "mysql://tf:Hunter2@host/db",
    `postgres://${"x".repeat(9999)}`,
  ])("%s is refused", (PG_CONN_STR) => expect(() => assertReadable({ PG_CONN_STR })).toThrow(/percent sign/));

  test("never stands in what Terraform printed, in whatever spelling", () => {
    const PG_CONN_STR = `postgres://tf:${encodeURIComponent(PASSWORD)}@192.0.2.5/terraform`;
    const printed = [
      `parse "${PG_CONN_STR}": invalid port`,
      `pq: password authentication failed with ${PASSWORD}`,
      `host=192.0.2.5 password='${PASSWORD}'`,
      `and another: postgres://other:Different99@192.0.2.6/x`,
    ].join("\n");
    const told = withoutConnection(printed, { PG_CONN_STR });
    expect(told).not.toMatch(/Hunter2|Different99/);
    expect(told).toContain("invalid port");
    expect(withoutConnection(`x ${PASSWORD} y`, { PGPASSWORD: PASSWORD })).toBe("x (hidden) y");
  });
});
