# Sees everything but secrets, changes nothing: homelab status, logs, drift, and the plan of a pull request.
namespace "*" {
  policy       = "read"
  capabilities = ["plan-job", "read-logs"]
  variables {
    path "nomad/jobs/*" {
      capabilities = ["list"]
    }
  }
}
namespace "default" {
  policy       = "read"
  capabilities = ["plan-job", "read-logs"]
  variables {
    path "nomad/jobs/*" {
      capabilities = ["list"]
    }
    path "homelab/*" {
      capabilities = ["list", "read"]
    }
  }
}
node {
  policy = "read"
}
plugin {
  policy = "read"
}
operator {
  policy = "read"
}
