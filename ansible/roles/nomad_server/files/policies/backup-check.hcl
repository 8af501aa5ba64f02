# For the job backup-check itself: writes whether the repository is whole.
namespace "default" {
  variables {
    path "homelab/backup/backup-check/*" {
      capabilities = ["write"]
    }
  }
}
