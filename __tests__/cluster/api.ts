import { until } from "./command";

export interface Allocation {
  readonly ID: string;
  readonly JobID: string;
  readonly JobVersion: number;
  readonly NodeName: string;
  readonly ClientStatus: string;
  readonly ClientDescription: string;
  readonly DesiredStatus: string;
  readonly TaskStates: Record<string, TaskState> | null;
}

interface TaskState {
  readonly State: string;
  readonly Restarts: number;
  readonly StartedAt: string | null;
  readonly Events: readonly { readonly DisplayMessage: string }[];
}

export interface Deployment {
  readonly Status: string;
  readonly StatusDescription: string;
}

interface CheckResult {
  readonly Check: string;
  readonly Service: string;
  readonly Status: "success" | "failure" | "pending";
  readonly Output: string;
}

/** As much of Nomad's HTTP API as the tests ask for, independent of the client that is under test. */
export class Api {
  /** Empty while ACLs are not bootstrapped. */
  token = "";

  constructor(readonly address: string) {}

  get<T>(path: string, namespace = "default"): Promise<T> {
    return this.send<T>("GET", path, namespace);
  }

  put<T>(path: string, body: unknown, namespace = "default"): Promise<T> {
    return this.send<T>("PUT", path, namespace, body);
  }

  delete(path: string, namespace = "default"): Promise<unknown> {
    return this.send("DELETE", path, namespace);
  }

  /** Writes a Nomad variable whole, as an owner does before or while the first deploy runs. */
  putVariable(path: string, namespace: string, items: Record<string, string>): Promise<unknown> {
    return this.put(`var/${path}`, { Path: path, Namespace: namespace, Items: items }, namespace);
  }

  /** Deletes every variable of a namespace. */
  async deleteVariables(namespace: string): Promise<void> {
    const variables = await this.get<{ Path: string }[]>("vars", namespace);
    for (const { Path } of variables) await this.delete(`var/${Path}`, namespace);
  }

  allocations(namespace = "*"): Promise<Allocation[]> {
    return this.get<Allocation[]>("allocations", namespace);
  }

  /** The job's only allocation that is meant to run, once it runs. */
  running(job: string, namespace: string, seconds = 60): Promise<Allocation> {
    return until(`one running allocation of ${job}`, seconds, async () => {
      const wanted = (await this.allocations(namespace)).filter(
        ({ JobID, DesiredStatus, ClientStatus }) =>
          JobID === job && DesiredStatus === "run" && ClientStatus === "running",
      );
      return wanted.length === 1 ? wanted[0] : undefined;
    });
  }

  /** What the checks of an allocation said last, by the service's name; of several, what its program answers. */
  async checks(allocation: string, namespace: string): Promise<Record<string, CheckResult>> {
    const results = await this.get<Record<string, CheckResult>>(`client/allocation/${allocation}/checks`, namespace);
    const checks = Object.values(results).filter(({ Check }) => Check !== "silence");
    return Object.fromEntries(checks.map((result) => [result.Service, result]));
  }

  /** Restarts every task of an allocation in place. */
  restart(allocation: string, namespace: string): Promise<unknown> {
    return this.put(`client/allocation/${allocation}/restart`, { AllTasks: true }, namespace);
  }

  private async send<T>(method: string, path: string, namespace: string, body?: unknown): Promise<T> {
    const url = `${this.address}/v1/${path}${path.includes("?") ? "&" : "?"}namespace=${encodeURIComponent(namespace)}`;
    const headers = this.token ? { "X-Nomad-Token": this.token } : undefined;
    const signal = AbortSignal.timeout(30_000);
    const response = await fetch(url, { method, headers, body: JSON.stringify(body), signal });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text.trim()}`);
    return (text && JSON.parse(text)) as T;
  }
}
