# For the job backup-drill itself: writes what the last drill proved.
namespace "default" {
  variables {
    path "homelab/backup/backup-drill/*" {
      capabilities = ["write"]
    }
  }
}
