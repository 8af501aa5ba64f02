# The patch playbook, and homelab node-lost: takes nodes out of service and back. Snapshots are saved by the server itself.
namespace "*" {
  capabilities = ["list-jobs", "read-job", "csi-read-volume"]
}

node {
  policy = "write"
}

plugin {
  policy = "read"
}
