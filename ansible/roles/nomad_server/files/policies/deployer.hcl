# npm run deploy, homelab restart, rebalance, pause, resume and backup: jobs and volumes in bitcoin and default. Namespaces
# and the scheduler need a management token.
namespace "*" {
  # The guard compares what a deploy would start with what runs already, whoever runs it and wherever.
  capabilities = ["list-jobs", "read-job", "csi-list-volume", "csi-read-volume"]
}

# A namespace of its own name takes nothing from the block above.
namespace "bitcoin" {
  policy       = "read"
  capabilities = ["submit-job", "dispatch-job", "plan-job", "scale-job", "alloc-lifecycle", "read-logs", "csi-write-volume", "csi-mount-volume"]

  variables {
    path "*" {
      capabilities = ["list"]
    }

    # The homelab's identity, which is no secret: those are below it, where this line does not reach. A hub with another
    # jobId has another path.
    path "nomad/jobs/albyhub" {
      capabilities = ["list", "read", "write"]
    }
  }
}

# The CSI plugin runs here.
namespace "default" {
  policy       = "read"
  capabilities = ["submit-job", "plan-job", "scale-job", "alloc-lifecycle", "read-logs", "csi-register-plugin"]

  variables {
    path "*" {
      capabilities = ["list"]
    }

    # A pause, and what was stopped for it.
    path "homelab/*" {
      capabilities = ["list", "read", "write", "destroy"]
    }
  }
}

node {
  policy = "read"
}

agent {
  policy = "read"
}

operator {
  policy = "read"
}

plugin {
  policy = "read"
}
