"""Nomad's HTTP API for the modules of this folder: JSON in, JSON out, never the tables that the CLI prints."""

import fnmatch
import json
import time
import urllib.error
import urllib.parse
import urllib.request

# What a task group's allocations may be while they hold something on their node.
LIVE = ("pending", "running", "unknown")
# Kinds of jobs that a drain leaves alone, because a CSI plugin must outlive the mounts it made.
SYSTEM = ("system", "sysbatch")

ARGUMENTS = {
    "api_url": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": True, "default": ""},
}


class NomadError(Exception):
    """An answer that is none, with the request and what Nomad said."""


class Nomad:
    """A connection to one agent. It forwards to the leader, so any will do."""

    def __init__(self, api_url, token):
        self.api_url = api_url.rstrip("/")
        self.token = token

    def get(self, path, **query):
        """Reads `/v1/<path>`."""
        return self._send("GET", path, query)

    def post(self, path, body, **query):
        """Writes to `/v1/<path>`."""
        return self._send("POST", path, query, json.dumps(body).encode())

    def node(self, name):
        """The node of that name, in full. A machine that was set up anew leaves an older node of its name behind."""
        found = [node for node in self.get("nodes") if node["Name"] == name]
        found = [node for node in found if node["Status"] != "down"] or found
        if len(found) != 1:
            states = ", ".join(node["Status"] for node in found) or "none"
            raise NomadError(f"Nomad has not one node named {name} but: {states}")
        return self.get("node/" + found[0]["ID"])

    def _send(self, method, path, query, body=None):
        url = f"{self.api_url}/v1/{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = {"Content-Type": "application/json", **({"X-Nomad-Token": self.token} if self.token else {})}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace").strip()
            hint = "; is NOMAD_TOKEN right, and its policy enough?" if error.code == 403 else ""
            raise NomadError(f"{method} {url}: {error.code} {said}{hint}") from error
        except OSError as error:
            raise NomadError(f"{method} {url}: {error}; does the Nomad server run?") from error
        return json.loads(text) if text else None


def until(seconds, ask):
    """Asks every two seconds until nothing is left to wait for. Gives what was left at the end, [] when all is well.

    An API that does not answer is one more thing to wait for: the server may be electing a leader.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            left = ask()
        except NomadError as error:
            left = [str(error)]
        if not left or time.monotonic() > end:
            return left
        time.sleep(2)


def label(allocation):
    """How an allocation is called in messages: `bitcoin/electrs.electrs[0] (1a2b3c4d)`."""
    return f"{allocation['Namespace']}/{allocation['Name']} ({allocation['ID'][:8]})"


def is_system(allocation):
    """Whether a drain that ignores system jobs leaves it."""
    job = allocation.get("Job") or {}
    return (allocation.get("JobType") or job.get("Type")) in SYSTEM


def is_wanted(allocation):
    """Whether it should run, rather than one that failed before and has a successor: Nomad keeps those for hours."""
    return allocation["DesiredStatus"] == "run" and not allocation.get("NextAllocation")


def failing_jobs(nomad):
    """What is missing of every service being as it should: a line for each deployment and task group."""
    left = [
        f"deployment of {one['Namespace']}/{one['JobID']} is {one['Status']}"
        for one in nomad.get("deployments", namespace="*")
        if one["Status"] in ("running", "paused", "pending", "blocked", "unblocking", "initializing")
    ]
    healthy = {}
    for one in nomad.get("allocations", namespace="*"):
        if one["DesiredStatus"] == "run" and one["ClientStatus"] == "running" and is_healthy(nomad, one):
            key = (one["Namespace"], one["JobID"], one["TaskGroup"])
            healthy[key] = healthy.get(key, 0) + 1
    for job in service_jobs(nomad):
        for group in job["TaskGroups"]:
            count = healthy.get((job["Namespace"], job["ID"], group["Name"]), 0)
            if count < group["Count"]:
                left.append(f"{job['Namespace']}/{job['ID']}.{group['Name']}: {count} of {group['Count']} healthy")
    return left


def registered_jobs(nomad):
    """Every job that is not stopped, in full."""
    stubs = [stub for stub in nomad.get("jobs", namespace="*") if not stub.get("Stop")]
    return [nomad.get("job/" + urllib.parse.quote(one["ID"], safe=""), namespace=one["Namespace"]) for one in stubs]


def service_jobs(nomad):
    """Those of them that run for ever on some node."""
    return [job for job in registered_jobs(nomad) if job["Type"] == "service" and job["Status"] != "dead"]


def is_healthy(nomad, allocation):
    """Whether a running allocation is well.

    Nomad decides once, after a while; when it gave up before a slow start was done, the checks tell how it is now.
    """
    decided = (allocation.get("DeploymentStatus") or {}).get("Healthy")
    if decided is not False:
        return decided is True
    checks = nomad.get(f"client/allocation/{allocation['ID']}/checks", namespace=allocation["Namespace"]) or {}
    return bool(checks) and all(check["Status"] == "success" for check in checks.values())


def sick_plugins(nomad):
    """CSI plugins that are not healthy everywhere."""
    left = []
    for stub in nomad.get("plugins", type="csi"):
        for kind in ("Nodes", "Controllers"):
            healthy, expected = stub[kind + "Healthy"], stub[kind + "Expected"]
            if healthy < expected:
                left.append(f"CSI plugin {stub['ID']}: {healthy} of {expected} {kind.lower()} healthy")
    return left


def machines_without_plugin(nomad, jobs):
    """Clients on which a node plugin is not healthy, as text and remedy.

    Nomad itself expects a plugin only where an instance of it runs: one that was stopped is not replaced until something
    has Nomad look at the job again. So the machines are counted.
    """
    ready = [node for node in nomad.get("nodes") if node["Status"] == "ready"]
    found = []
    for job in jobs:
        tasks = [task for group in job["TaskGroups"] for task in group["Tasks"]]
        configs = [task["CSIPluginConfig"] for task in tasks if task.get("CSIPluginConfig")]
        if job["Type"] != "system" or job.get("Stop"):
            continue
        for config in configs:
            if config["Type"] == "controller":
                continue
            healthy = healthy_nodes(nomad, config["ID"])
            for node in sorted(ready, key=lambda one: one["Name"]):
                there = any(fnmatch.fnmatchcase(node["Datacenter"], dc) for dc in job["Datacenters"])
                if there and node["ID"] not in healthy:
                    text = f"CSI plugin {config['ID']}: no healthy node plugin on {node['Name']}"
                    found.append((text, f"`nomad job eval {job['ID']}`, then look at its allocation on {node['Name']}"))
    return found


def healthy_nodes(nomad, plugin):
    """The ids of the nodes on which a plugin is healthy; none when Nomad does not know it."""
    if plugin not in [stub["ID"] for stub in nomad.get("plugins", type="csi")]:
        return []
    nodes = nomad.get(f"plugin/csi/{urllib.parse.quote(plugin, safe='')}").get("Nodes") or {}
    return [node for node, info in nodes.items() if info["Healthy"]]


def sick_node_plugins(nomad, node_id, allocations):
    """CSI plugins that should serve a node, by the allocations that are wanted there, and do not.

    An agent that was started anew registers without its plugins; Nomad then knows nothing of them on this node, until
    they answer. What should be there is told by the jobs alone.
    """
    tasks = [
        task
        for one in allocations
        for group in one["Job"]["TaskGroups"]
        if group["Name"] == one["TaskGroup"]
        for task in group["Tasks"]
    ]
    configs = [task["CSIPluginConfig"] for task in tasks if task.get("CSIPluginConfig")]
    left = []
    for plugin_id in sorted({one["ID"] for one in configs if one["Type"] in ("node", "monolith")}):
        known = any(stub["ID"] == plugin_id for stub in nomad.get("plugins", type="csi"))
        plugin = nomad.get("plugin/csi/" + urllib.parse.quote(plugin_id, safe="")) if known else {}
        if not ((plugin.get("Nodes") or {}).get(node_id) or {}).get("Healthy"):
            left.append(f"CSI plugin {plugin_id} is not healthy on this node")
    return left
