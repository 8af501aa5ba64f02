# For the job backup-restore itself: writes what was restored.
namespace "default" {
  variables {
    path "homelab/backup/backup-restore/*" {
      capabilities = ["write"]
    }
  }
}
