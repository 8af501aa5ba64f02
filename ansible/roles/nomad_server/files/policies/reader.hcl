# Status, logs and drift: sees jobs, volumes and nodes, changes nothing and reads no secret.
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
