"""Reads the inventory's figures as cluster/ does, and what `npm run synth` left, for the playbooks."""

import glob
import json
import os
import re

from ansible.errors import AnsibleFilterError

UNITS = {"s": 1, "m": 60, "h": 3600}


def duration_seconds(text):
    """`1h30m` is 5400, as nomad/duration.ts reads it."""
    parts = re.findall(r"(\d+)([smh])", str(text))
    if not parts or "".join(amount + unit for amount, unit in parts) != str(text):
        raise AnsibleFilterError(
            f'"{text}" is not a duration: write a whole number with its unit, such as 15m or 1h30m'
        )
    return sum(int(amount) * UNITS[unit] for amount, unit in parts)


def mebibytes(text):
    """`8GiB` is 8192, as nomad/memory.ts reads it."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MiB|GiB)", str(text))
    amount = float(match[1]) * (1024 if match[2] == "GiB" else 1) if match else 0.5
    if not amount.is_integer():
        raise AnsibleFilterError(f'"{text}" is not an amount of memory: write MiB or GiB, such as 768MiB or 8GiB')
    return int(amount)


def synthesized(folder):
    """What the stacks in cdktf.out ask of the machines: folders on the NAS, and the longest kill timeouts.

    Nothing when nothing was synthesized yet.
    """
    volumes, tasks = [], []
    for path in sorted(glob.glob(os.path.join(folder, "stacks", "*", "cdk.tf.json"))):
        with open(path, encoding="utf-8") as file:
            stack = json.load(file)
        jobs = [json.loads(unescape(one["jobspec"])) for one in stack.get("resource", {}).get("nomad_job", {}).values()]
        users = {}
        for job in jobs:
            for group in job.get("TaskGroups") or []:
                for task in group.get("Tasks") or []:
                    seconds = (task.get("KillTimeout") or 0) // 10**9
                    tasks.append({"task": f"{job['ID']}.{group['Name']}.{task['Name']}", "seconds": seconds})
                    for request in (group.get("Volumes") or {}).values():
                        if not request.get("ReadOnly") and task.get("VolumeMounts") and task.get("User"):
                            users[request["Source"]] = task["User"]
        outputs = stack.get("output", {}).get("homelab", {}).get("value", {})
        for volume in outputs.get("volumes", []):
            source = volume.get("source") or {}
            if "share" not in source or volume["id"] not in users:
                continue
            uid, _, gid = users[volume["id"]].partition(":")
            options = ",".join(volume.get("mountFlags") or [])
            volumes.append({**source, "options": options, "uid": int(uid), "gid": int(gid or uid)})
    return {"volumes": volumes, "tasks": tasks}


def unescape(text):
    """Terraform's doubled markers, single again."""
    return text.replace("$${", "${").replace("%%{", "%{")


def host_label(name):
    """The first part of a host name, in lower case, which is what a machine calls itself; an address has none."""
    return "" if re.fullmatch(r"[\d.]+|.*:.*", name) else name.lower().split(".")[0]


def equal_names(names):
    """Hosts whose machines have one name, in whatever letters or domain. `names` are what they call themselves."""
    called = {}
    for host, name in names.items():
        called.setdefault(host_label(name), []).append(host)
    return [
        {
            "level": "error",
            "check": "host-names",
            "found": f"{' and '.join(hosts)} have one host name, {name}: NFS takes them for one machine, and each takes the locks of the other",
            "remedy": "give each a name of its own in the inventory, and with `hostnamectl hostname NAME` and a restart",
        }
        for name, hosts in called.items()
        if name and len(hosts) > 1
    ]


def release(version):
    """2.0.5-rc.1 as numbers that compare, a release after what comes before it; nothing when it is none."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(-[\w.]+)?(?:\+[\w.]+)?", str(version))
    return [*(int(match[part]) for part in (1, 2, 3)), match[4] is None] if match else []


def inventory_findings(hosts, groups, synthesized_tasks, minimum):
    """What is wrong with the inventory's figures taken together.

    `hosts` are the variables of each host, `minimum` is the oldest Nomad that may run.
    """
    found = []

    def add(text, remedy, check="inventory"):
        found.append({"level": "error", "check": check, "found": text, "remedy": remedy})

    servers, clients = groups.get("nomad_servers", []), groups.get("nomad_clients", [])
    for name, members in (("nomad_servers", servers), ("nomad_clients", clients)):
        if not members:
            add(f"there is no host in {name}", f"add at least one below all.children.{name}.hosts")
    if servers and len(servers) % 2 == 0:
        add(f"{len(servers)} servers: an even number survives no more losses than one less", "use 1, 3 or 5 servers")
    found.extend(equal_names({name: name for name in [*servers, *clients]}))
    for host in [*servers, *clients]:
        version = hosts[host].get("nomad_version")
        if version is not None and release(version) < release(minimum):
            add(
                f"nomad_version is {version}: before {minimum} a deleted allocation can run on, as a second writer",
                f"set nomad_version to {minimum} or newer",
                "nomad-version",
            )
    for server in servers:
        expect = hosts[server].get("nomad_bootstrap_expect")
        if expect != len(servers):
            add(
                f"nomad_bootstrap_expect of {server} is {expect}, there are {len(servers)} servers",
                f"set it to {len(servers)}",
            )
    for client in clients:
        try:
            longest = duration_seconds(hosts[client]["nomad_max_kill_timeout"])
            deadline = duration_seconds(hosts[client]["nomad_drain_deadline"])
            memory, kept = (mebibytes(hosts[client][key]) for key in ("nomad_memory", "nomad_reserved_memory"))
        except KeyError as error:
            add(f"{error.args[0]} of {client} is not set", "add it to the inventory")
            continue
        except AnsibleFilterError as error:
            add(f"of {client}: {error}", "correct the inventory")
            continue
        if deadline < longest:
            text = f"nomad_drain_deadline ({deadline} s) is shorter than nomad_max_kill_timeout ({longest} s)"
            add(text, "a drain would cut a stop short: raise nomad_drain_deadline")
        if kept >= memory:
            add(f"nomad_reserved_memory of {client} leaves nothing of its {memory} MiB", "reserve less, such as 768MiB")
        for one in synthesized_tasks:
            if one["seconds"] > longest:
                text = f"{one['task']} may take {one['seconds']} s to stop, nomad_max_kill_timeout is {longest} s"
                add(text, f"raise nomad_max_kill_timeout to {one['seconds']}s, and nomad_drain_deadline with it")
    # What is the same for every client is said once.
    return [one for index, one in enumerate(found) if one not in found[:index]]


def argument_findings(results):
    """What the argument specs refuse, once for all hosts that share it. `results` are their validations, by host."""
    hosts = {}
    for host, validations in results.items():
        for error in [error for one in validations for error in one.get("argument_errors", [])]:
            hosts.setdefault(error, []).append(host)
    remedy = "correct it in the inventory; ansible/roles/*/meta/argument_specs.yml says what it has to be"
    return [
        {"level": "error", "check": "variables", "found": f"{error} (of {', '.join(of)})", "remedy": remedy}
        for error, of in hosts.items()
    ]


def findings_text(findings_of, accepted):
    """Findings by host as lines, the errors first, and whether any of them stops the play."""
    lines, errors = [], 0
    every = [(host, one) for host, findings in findings_of.items() for one in findings]
    for level in ("error", "mended", "warning"):
        for host, one in every:
            if one["level"] != level:
                continue
            taken = one["check"] in accepted
            errors += level == "error" and not taken
            title = "accepted" if taken else {"mended": "to be mended"}.get(level, level)
            lines.append(f"{title}: {host}: {one['found']} [{one['check']}]: {one['remedy']}")
    return {"lines": lines or ["nothing found"], "errors": errors}


def patch_summary(results, hosts):
    """The table at the end of a patch run: packages, reboots, and for how long each job was out of service."""
    rows = [("HOST", "PACKAGES", "REBOOT", "OUT OF SERVICE")]
    for host in hosts:
        done = results.get(host)
        if done is None:
            rows.append((host, "-", "-", "not reached"))
            continue
        outs = [
            f"{one['job']} {one['out']} s (stop {one['seconds']} s"
            + (f", KILLED: {', '.join(one['killed'])}" if one["killed"] else "")
            + ")"
            for one in done["out"]
        ]
        rows.append((host, str(done["packages"]), done["reboot"], "; ".join(outs) or done.get("note", "nothing")))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[3]]) for row in rows]


class FilterModule:
    """Entry point."""

    def filters(self):
        """By the names that templates use."""
        return {
            "duration_seconds": duration_seconds,
            "mebibytes": mebibytes,
            "synthesized": synthesized,
            "inventory_findings": inventory_findings,
            "argument_findings": argument_findings,
            "equal_names": equal_names,
            "findings_text": findings_text,
            "patch_summary": patch_summary,
        }
