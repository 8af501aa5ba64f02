"""Judges whether a Nomad cluster may be worked on now: all that is wrong at once, each with its remedy."""

import re
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nomad_api import (
    ARGUMENTS,
    Nomad,
    NomadError,
    SYSTEM,
    failing_jobs,
    is_wanted,
    label,
    machines_without_plugin,
    registered_jobs,
    sick_plugins,
)

DOCUMENTATION = r"""
module: preflight_cluster
short_description: Finds what speaks against draining the nodes of a Nomad cluster one by one
description:
  - Asks for the leader, the nodes, allocations, deployments, CSI plugins and kill timeouts, and whether the allocations
    of every client fit on the others; whether a container runs that Nomad does not know, two machines have one name, or
    an agent is too old. Changes nothing.
options:
  api_url:
    description: The HTTP API of any agent, without path.
    type: str
    required: true
  token:
    description: A token of the policy C(patcher), or a management token. Empty for a cluster without ACL.
    type: str
    default: ""
  clients:
    description: The names of the client nodes that must be there.
    type: list
    elements: str
    required: true
  max_kill_seconds:
    description: The clients' C(max_kill_timeout) in seconds.
    type: int
    required: true
  roll:
    description: Whether nodes are about to be drained. Otherwise only what must never be is judged.
    type: bool
    default: true
  containers:
    description: What runs on each host, as C(preflight_machine) returned it, each with C(allocation), C(name) and C(seen).
    type: dict
    default: {}
  minimum_version:
    description: The oldest Nomad that may run, which the inventory's version is not below.
    type: str
    required: true
  reason:
    description: What a former run wrote into the drains it left, which this run may go on with.
    type: str
    default: ""
author: [the homelab]
"""


def leader(nomad):
    """Without a leader nothing else can be asked."""
    if not nomad.get("status/leader"):
        return [("leader", "the servers have no leader", "look at `journalctl -u nomad` on the servers")]
    return []


def nodes(nomad, names, reason):
    """Every client there, ready and eligible, or left by a former run of the same playbook."""
    found = []
    for name in names:
        try:
            node = nomad.node(name)
        except NomadError as error:
            found.append(("nodes", str(error), f"start Nomad on {name}, or purge the node that is no more"))
            continue
        left_by_us = ((node.get("LastDrain") or {}).get("Meta") or {}).get("reason") == reason
        if node["Status"] != "ready":
            found.append(("nodes", f"{name} is {node['Status']}", f"mend it first: `journalctl -u nomad` on {name}"))
        elif node["SchedulingEligibility"] != "eligible" and not left_by_us:
            remedy = f"`nomad node eligibility -enable {node['ID'][:8]}` when whoever took it out is done"
            found.append(("nodes", f"{name} is not eligible, and not because of an earlier run of this", remedy))
    return found


def ended(allocation):
    """When the last task of an allocation ended, in seconds by the clock of its machine; 0 when nobody tells."""
    states = (allocation.get("TaskStates") or {}).values()
    times = [datetime.strptime(one["FinishedAt"][:19] + "Z", "%Y-%m-%dT%H:%M:%SZ") for one in states if one.get("FinishedAt")]
    return max((int(one.replace(tzinfo=timezone.utc).timestamp()) for one in times), default=0)


def orphans(nomad, running):
    """Containers of tasks that Nomad does not know, or holds for ended: each may be a second writer of its volume."""
    if not any(running.values()):
        return []
    # Asked after the containers were listed: what was started since is no matter, nor what has ended about then.
    known = {one["ID"]: one for one in nomad.get("allocations", namespace="*")}
    found = []
    for host, here in running.items():
        for container in here:
            one = known.get(container["allocation"])
            if one is None:
                what = f"of allocation {container['allocation'][:8]}, which Nomad does not know"
            elif one["NodeName"] != host:
                what = f"of {label(one)}, which Nomad has on {one['NodeName']}"
            elif one["ClientStatus"] in ("complete", "failed", "lost") and ended(one) < container["seen"] - 60:
                what = f"of {label(one)}, which is {one['ClientStatus']} to Nomad"
            else:
                continue
            remedy = f"see what it writes, then on {host} `docker stop --time 900 {container['name']}`"
            found.append(("orphans", f"on {host} runs the container {container['name']} {what}", remedy))
    return found


def numbers(version):
    """2.0.5-rc.1 as numbers that compare, a release after what comes before it; nothing when it is none."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(-[\w.]+)?(?:\+[\w.]+)?", version)
    return [*(int(match[part]) for part in (1, 2, 3)), match[4] is None] if match else []


def versions(nomad, minimum):
    """Agents that are too old, which both playbooks bring to the inventory's release."""
    members = nomad.get("agent/members").get("Members") or []
    agents = [(one["Name"], one["Tags"].get("build", "")) for one in members if one["Status"] != "left"]
    agents += [(one["Name"], one.get("Version", "")) for one in nomad.get("nodes") if one["Status"] != "down"]
    remedy = "the next run of patch_cluster.yml brings it to nomad_version"
    return [
        ("nomad-version", f"{name} runs Nomad {version or 'of an unknown release'}, not {minimum} or newer", remedy)
        for name, version in agents
        if numbers(version) < numbers(minimum)
    ]


def host_names(nomad):
    """Clients whose machines have one name, also those that the inventory or --limit leaves out."""
    called = {}
    for stub in nomad.get("nodes"):
        if stub["Status"] != "down":
            name = nomad.get("node/" + stub["ID"])["Attributes"].get("unique.hostname", "")
            called.setdefault(name.lower().split(".")[0], []).append(stub["Name"])
    remedy = "`hostnamectl hostname NAME` and a restart of all but one of them: NFS takes them for one machine"
    return [
        ("host-names", f"{' and '.join(sorted(nodes))} have one host name, {name}", remedy)
        for name, nodes in called.items()
        if name and len(nodes) > 1
    ]


def allocations(nomad):
    """What should run, runs."""
    found = []
    for one in nomad.get("allocations", namespace="*"):
        bad = one["ClientStatus"] in ("failed", "pending", "lost", "unknown")
        if is_wanted(one) and bad and one.get("JobType") not in ("batch", "sysbatch"):
            remedy = (
                f"`nomad alloc status -namespace {one['Namespace']} {one['ID'][:8]}` says why; mend or stop the job"
            )
            found.append(("allocations", f"{label(one)} on {one['NodeName']} is {one['ClientStatus']}", remedy))
    return found


def health(nomad):
    """No deployment under way, every service complete, every CSI plugin well and on every machine."""
    remedy = "wait until it is done and healthy, or mend it"
    found = [("health", one, remedy) for one in failing_jobs(nomad) + sick_plugins(nomad)]
    return found + [("health", *one) for one in machines_without_plugin(nomad, registered_jobs(nomad))]


def kill_timeouts(jobs, longest):
    """A client cuts a longer kill timeout to its own maximum, and so kills what is still stopping."""
    found = []
    for job in jobs:
        for group in job["TaskGroups"]:
            for task in group["Tasks"]:
                seconds = task["KillTimeout"] // 10**9
                if seconds > longest:
                    place = f"{job['Namespace']}/{job['ID']}, task {task['Name']}"
                    text = f"{place} may take {seconds} s to stop, nomad_max_kill_timeout is {longest} s"
                    remedy = f"raise nomad_max_kill_timeout and nomad_drain_deadline in the inventory to {seconds}s"
                    found.append(("kill-timeout", text, remedy))
    return found


def placement(nomad, names):
    """With any one client drained, what it runs fits on the others that are in service."""
    free, running, eligible = {}, {name: [] for name in names}, []
    for name in names:
        node = nomad.node(name)
        if node["SchedulingEligibility"] == "eligible":
            eligible.append(name)
        all_of, kept = node["NodeResources"], node.get("ReservedResources") or {}
        free[name] = [
            all_of["Cpu"]["CpuShares"] - (kept.get("Cpu") or {}).get("CpuShares", 0),
            all_of["Memory"]["MemoryMB"] - (kept.get("Memory") or {}).get("MemoryMB", 0),
        ]
        for one in nomad.get(f"node/{node['ID']}/allocations") or []:
            if one["DesiredStatus"] != "run" or one["ClientStatus"] not in ("running", "pending"):
                continue
            tasks = one["AllocatedResources"]["Tasks"].values()
            needs = [sum(t["Cpu"]["CpuShares"] for t in tasks), sum(t["Memory"]["MemoryMB"] for t in tasks)]
            free[name] = [free[name][0] - needs[0], free[name][1] - needs[1]]
            if one["Job"]["Type"] not in SYSTEM:
                running[name].append((*needs, label(one)))
    found = []
    for name in names:
        others = [list(free[other]) for other in eligible if other != name]
        misfit = first_misfit(sorted(running[name], key=lambda one: (-one[1], -one[0])), others)
        if misfit:
            cpu, memory, what = misfit
            text = f"with {name} drained, {what} ({cpu} MHz, {memory} MiB) fits on no other client in service"
            found.append(("placement", text, "stop or shrink something, or move allocations with `nomad alloc stop`"))
    return found


def first_misfit(items, bins):
    """The first item, in their order, that finds no place beside those before it, or nothing."""
    if fits(items, bins):
        return None
    return next(one for index, one in enumerate(items) if not fits(items[: index + 1], bins))


def fits(items, bins):
    """Whether all items can be placed, by trying every bin for each."""
    if not items:
        return True
    cpu, memory, _ = items[0]
    tried = []
    for index, (free_cpu, free_memory) in enumerate(bins):
        if cpu > free_cpu or memory > free_memory or bins[index] in tried:
            continue
        tried.append(bins[index])
        rest = [[c - cpu, m - memory] if at == index else [c, m] for at, (c, m) in enumerate(bins)]
        if fits(items[1:], rest):
            return True
    return False


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "clients": {"type": "list", "elements": "str", "required": True},
            "max_kill_seconds": {"type": "int", "required": True},
            "roll": {"type": "bool", "default": True},
            "containers": {"type": "dict", "default": {}},
            "minimum_version": {"type": "str", "required": True},
            "reason": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    nomad = Nomad(params["api_url"], params["token"])
    mended = []
    try:
        found = leader(nomad)
        if not found:
            mended = versions(nomad, params["minimum_version"])
            found = kill_timeouts(registered_jobs(nomad), params["max_kill_seconds"])
            found += orphans(nomad, params["containers"]) + host_names(nomad)
            if params["roll"]:
                found += nodes(nomad, params["clients"], params["reason"]) + allocations(nomad) + health(nomad)
                if not any(check == "nodes" for check, _, _ in found):
                    found += placement(nomad, params["clients"])
    except NomadError as error:
        found = [("api", str(error), "the playbook needs the API of a Nomad server, and NOMAD_TOKEN where ACL is on")]
    keys = ("check", "found", "remedy")
    findings = [("error", one) for one in found] + [("mended", one) for one in mended]
    module.exit_json(changed=False, findings=[{"level": level, **dict(zip(keys, one))} for level, one in findings])


if __name__ == "__main__":
    main()
