# homelab status, logs, drift, backup status and list, and the review of a pull request: sees jobs, volumes and nodes, changes
# nothing and reads no secret.
namespace "*" {
  # plan-job compares a job with the one that runs, and registers nothing.
  capabilities = ["list-jobs", "read-job", "parse-job", "plan-job", "read-logs", "csi-list-volume", "csi-read-volume"]

  variables {
    # That a secret is there, and under which keys is not told.
    path "*" {
      capabilities = ["list"]
    }
  }
}

# A namespace of its own name takes nothing from the block above.
namespace "default" {
  capabilities = ["list-jobs", "read-job", "parse-job", "plan-job", "read-logs", "csi-list-volume", "csi-read-volume"]

  variables {
    path "*" {
      capabilities = ["list"]
    }

    # Whether a pause is on, and what backups tell.
    path "homelab/*" {
      capabilities = ["list", "read"]
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
