import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { BACKUP_JOBS } from "../../model/backup-jobs";

const POLICIES = resolve(__dirname, "../../ansible/roles/nomad_server/files/policies");

/** What a token of the cluster may do: everything, or what a policy of the server role says. */
export type Role = "management" | "reader" | "deployer" | "patcher";

/** Makes a token for every policy of the server role that verbs are used with. */
export async function roleTokens(
  put: <T>(path: string, body: unknown) => Promise<T>,
  namespace = "bitcoin",
): Promise<Map<Role, string>> {
  const tokens = new Map<Role, string>();
  for (const role of ["reader", "deployer", "patcher"] as const) {
    const Rules = readFileSync(join(POLICIES, `${role}.hcl`), "utf8").replace('"bitcoin"', JSON.stringify(namespace));
    await put(`acl/policy/${role}`, { Name: role, Rules });
    const token = { Name: role, Type: "client", Policies: [role] };
    tokens.set(role, (await put<{ SecretID: string }>("acl/token", token)).SecretID);
  }
  return tokens;
}

/** Gives the jobs of the backup the rights that the server role gives them, each by being the job of its name. */
export async function jobPolicies(
  put: <T>(path: string, body: unknown) => Promise<T>,
  namespace = "bitcoin",
): Promise<void> {
  for (const job of Object.values(BACKUP_JOBS)) {
    const Rules = readFileSync(join(POLICIES, `${job}.hcl`), "utf8");
    await put(`acl/policy/${job}`, { Name: job, Rules, JobACL: { Namespace: namespace, JobID: job } });
  }
}
