#!/bin/sh
# The lock of a work directory, which whoever writes there holds. It is on the open file 9, so that it lasts until this
# process ends, and a program that the process becomes with exec inherits it.
#
# It refuses a second start. It is no fence: when the machine of a writer is cut off, the NFS server gives the lock away
# once the lease has run out (90 s unless the NAS says otherwise); and when the machine is back, Linux fails nothing but
# I/O on the locked file, so the first writer goes on. What keeps a second writer away is Nomad: the fence of the group,
# and the volume's claim.
#
# Two machines with one host name are one client to an NFS server, and take each other's locks.
#
# LOCK  name of the locked file in the work directory
#
# Who includes this defines say, and flock where there is none on PATH.

# hold_lock FOLDER takes the lock. When it fails, the reason is in $why. Where locks do not work at all, it says so and
# succeeds.
hold_lock() {
  regular_lock "$1" || return 1
  { : >> "$1/$LOCK"; } 2>/dev/null || { why="cannot write to $1; is it owned by 3001:3001?"; return 1; }
  exec 9>> "$1/$LOCK"
  lock_open_file
}

# share_lock FOLDER does the same for a process that only reads, on a mount that may be read-only: several may share it,
# but not with a writer. Until a writer has made the file there is nothing to share.
share_lock() {
  regular_lock "$1" || return 1
  [ -e "$1/$LOCK" ] || return 0
  { : < "$1/$LOCK"; } 2>/dev/null || { why="cannot read $1/$LOCK"; return 1; }
  exec 9< "$1/$LOCK"
  lock_open_file -s
}

regular_lock() {
  locked_folder=$1
  [ ! -h "$1/$LOCK" ] && { [ ! -e "$1/$LOCK" ] || [ -f "$1/$LOCK" ]; } && return 0
  why="$1/$LOCK is not a regular file: find out what it is, and delete it"
  return 1
}

# flock fails with the same status for each reason. It prints nothing when somebody else holds the lock, and the system's
# words otherwise; "No locks available" is ENOLCK, as musl and glibc say it.
lock_open_file() {
  lock_answer=$(flock -n "$@" 9 2>&1) && { warn_of_local_lock; return 0; }
  case $lock_answer in
    '') why="$locked_folder is in use: another hub, or a restore, holds the lock $LOCK in it. Stop that first; what a lost machine holds ends with its NFS lease, 90 s or so after the loss" ;;
    *'No locks available'*)
      said "goes on without a lock, since the mount of the work directory has none (NFS 3 without lockd?): a second start on it is not refused; with nfsvers=4.1 it is"
      return 0
      ;;
    *) why="$locked_folder cannot be locked, so nobody can tell whether it is in use: $lock_answer" ;;
  esac
  return 1
}

# said SENTENCE says it once, however often the lock is asked for.
said() {
  [ "$1" = "${last_said:-}" ] || say "$1"
  last_said=$1
}

# With the mount option nolock or local_lock, the NFS server knows of no lock.
warn_of_local_lock() {
  while read -r _ at type options _; do
    case $at:$type:$options in
      "$locked_folder":nfs*local_lock=all* | "$locked_folder":nfs*local_lock=flock*)
        said "the mount of the work directory keeps its locks to itself (local_lock), so a second start on another machine is not refused; without nolock and local_lock it is"
        ;;
    esac
  done < /proc/mounts
}
