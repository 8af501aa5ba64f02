import { createServer, type Server, type Socket } from "node:net";

/**
 * As much of PostgreSQL as a session needs to begin: user, database and password are checked, queries are not served.
 * It asks for the password in clear, so that a wrong one shows.
 */
export class Database {
  static async start(address: string, password: string): Promise<Database> {
    const sockets = new Set<Socket>();
    const database: Database = new Database(
      createServer((socket) => {
        sockets.add(socket.on("error", () => socket.destroy()));
        session(socket, (login) => database.admit(login));
      }),
      sockets,
      password,
    );
    await new Promise<void>((resolve, reject) => database.server.once("error", reject).listen(0, address, resolve));
    return database;
  }

  /** Who tried to log in, as `user@database`, with whether the password was right. */
  readonly logins: { readonly who: string; readonly right: boolean }[] = [];

  private constructor(
    private readonly server: Server,
    private readonly sockets: Set<Socket>,
    private readonly password: string,
  ) {}

  get port(): number {
    const address = this.server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private admit({ user, database, password }: Record<string, string>): boolean {
    const right = user === "albyhub" && database === "nwc" && password === this.password;
    this.logins.push({ who: `${user}@${database}`, right });
    return right;
  }
}

const TLS_REQUEST = 80877103;

/** Startup message, password, welcome. @see https://www.postgresql.org/docs/current/protocol-flow.html */
function session(socket: Socket, admit: (login: Record<string, string>) => boolean): void {
  let buffer = Buffer.alloc(0);
  let login: Record<string, string> | undefined;
  socket.on("data", (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const start = login ? 1 : 0;
      if (buffer.length < start + 4 || buffer.length < start + buffer.readUInt32BE(start)) return;
      const end = start + buffer.readUInt32BE(start);
      const body = buffer.subarray(start + 4, end);
      const kind = login ? String.fromCharCode(buffer[0] ?? 0) : "startup";
      buffer = buffer.subarray(end);
      if (kind === "startup" && body.readUInt32BE(0) === TLS_REQUEST) {
        socket.write("N");
      } else if (kind === "startup") {
        const words = body.subarray(4).toString().split("\0");
        login = {};
        for (let index = 0; index + 1 < words.length; index += 2) login[words[index] ?? ""] = words[index + 1] ?? "";
        socket.write(message("R", [0, 0, 0, 3]));
      } else if (kind === "p" && login) {
        if (admit({ ...login, password: body.toString().replace(/\0$/, "") })) {
          socket.write(
            Buffer.concat([
              message("R", [0, 0, 0, 0]),
              message(
                "Z",
                [..."I"].map((c) => c.charCodeAt(0)),
              ),
            ]),
          );
        } else {
          socket.end(message("E", [...Buffer.from("SFATAL\0C28P01\0Mpassword authentication failed\0\0")]));
        }
      }
    }
  });
}

function message(kind: string, body: readonly number[]): Buffer {
  const head = Buffer.alloc(5, kind);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, Buffer.from(body)]);
}
