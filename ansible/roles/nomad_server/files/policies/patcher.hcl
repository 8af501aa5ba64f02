# The patch playbook, and homelab node-lost: takes nodes out of service and back. Snapshots are saved by the server itself.
namespace "*" {
  capabilities = ["list-jobs", "read-job", "csi-read-volume"]
}

# A namespace of its own name takes nothing from the block above.
namespace "default" {
  capabilities = ["list-jobs", "read-job", "csi-read-volume"]

  variables {
    # A pause remembers what ran on a machine; node-lost takes out what ran on one that is given up.
    path "homelab/pause" {
      capabilities = ["read", "write"]
    }
  }
}

node {
  policy = "write"
}

plugin {
  policy = "read"
}
