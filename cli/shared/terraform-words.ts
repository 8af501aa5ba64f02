/** What a sentence of Terraform or of its provider means here, and what to do about it. */
interface Meaning {
  readonly said: RegExp;
  readonly means: string;
  /** @param address the resource that it was said of. */
  readonly remedy: (address: string, stack: string) => string;
}

const PLAN_AGAIN = "then npm run plan, and npm run deploy again";

/** In the order in which they are tried: the first that fits speaks. */
const MEANINGS: readonly Meaning[] = [
  {
    said: /inconsistent result after apply|(?:Root|root) (?:object|resource) was (?:present, but now absent|absent, but now present)|invalid result object after apply/,
    means:
      "Nomad took it, and did not show it when Terraform looked a moment later: the token may write it and not read it, or somebody removed it just then. It may well live now, and the state does not know it",
    remedy: (address, stack) =>
      `see with homelab status whether it lives; if so, import it before the next deploy, which would plan to create it: homelab adopt shows the command, terraform -chdir=${stack} import ${address} …; ${PLAN_AGAIN}. If it comes back, renew the token's policy with ansible-playbook nomad_cluster.yml`,
  },
  {
    said: /inconsistent final plan/,
    means: "what it depends on came out otherwise than was planned; nothing of it was changed",
    remedy: () => "run npm run plan and read it anew, then npm run deploy again",
  },
  {
    said: /Instance cannot be destroyed|prevent_destroy/,
    means:
      "the code would have it destroyed or replaced, and it holds data; Terraform refuses, and nothing was changed",
    remedy: (address) =>
      `put back what was renamed or removed of ${address} in main.ts; what is to be given up is stopped by hand first, as docs/everyday.md says`,
  },
  {
    said: /waiting for job .* to schedule\/deploy successfully|timeout while waiting for state/,
    means:
      "Nomad has the new job, and it did not get healthy in time; Nomad goes on trying, and goes back to nothing by itself",
    remedy: (address, stack) =>
      `homelab status says what is the matter: mend it and deploy again. If the next plan says "must be replaced", the first deployment has left it tainted: terraform -chdir=${stack} untaint ${address}`,
  },
  {
    said: /modify index|job .*conflict/i,
    means: "somebody else changed the job between the plan and now",
    remedy: () => "homelab drift says in what it differs; put that into the code or undo it, and plan again",
  },
  {
    said: /volume is (?:currently )?in use|max claims|claims? .*exhausted|still in use/i,
    means: "Nomad changes nothing of a volume that is claimed",
    remedy: () => "homelab pause stops what uses it; deploy, then homelab resume",
  },
  {
    said: /\b403\b|[Pp]ermission denied/,
    means: "the token in NOMAD_TOKEN may not do that",
    remedy: () =>
      "use a token with the policy deployer; namespaces and the scheduler's settings take a management token",
  },
  {
    said: /connection refused|no such host|i\/o timeout|connect: |context deadline exceeded|No cluster leader|\bEOF\b/,
    means: "Nomad did not answer in the middle of it; what was done before stays done",
    remedy: () => `wait until homelab status answers; ${PLAN_AGAIN}`,
  },
];

/**
 * Our words for what Terraform noted in its log: a line for each resource that failed, and what to do.
 *
 * @param log as Terraform writes it with `TF_LOG=ERROR`.
 * @param stack folder of the stack, for commands.
 * @returns nothing for what speaks for itself.
 */
export function explainTerraform(log: string, stack: string): readonly string[] {
  const failures = [...log.matchAll(/\[ERROR\] vertex "(.+?)" error: (.+)$/gm)];
  const told = failures.flatMap(([, vertex = "", said = ""]) => {
    const address = vertex.replace(/ \(.*\)$/, "");
    const meaning = MEANINGS.find((one) => one.said.test(said));
    return meaning ? [`${address}: ${meaning.means}. What to do: ${meaning.remedy(address, stack)}.`] : [];
  });
  return [...new Set(told)];
}
