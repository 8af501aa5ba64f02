# Deploys and operates: npm run deploy, homelab restart, rebalance, pause and resume.
namespace "*" {
  policy       = "write"
  capabilities = ["plan-job", "csi-register-plugin"]
  variables {
    path "nomad/jobs/*" {
      capabilities = ["list"]
    }
  }
}
namespace "default" {
  policy       = "write"
  capabilities = ["plan-job", "csi-register-plugin"]
  variables {
    path "nomad/jobs/*" {
      capabilities = ["list"]
    }
    path "homelab/*" {
      capabilities = ["list", "read", "write", "destroy"]
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
  policy = "write"
}
