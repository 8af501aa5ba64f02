#!/bin/sh
# Whose work directory it is. The volume's name cannot tell: a second cluster that was made from the same inventory has
# a volume of the same name on the same folder. So each homelab has an identity of its own, in a Nomad variable, and its
# hub marks the folder with it at its first start. From then on no other homelab's hub starts on it.
#
# A folder that nobody claimed, as version 0.1.0 left it, is claimed by the first hub that has an identity. A hub without
# one runs on such a folder, and on no other.
#
# JOB              ID of the job
# VOLUME_ID        the volume of the work directory, /data
# IDENTITY_FILE    file with the identity, or "<own> adopts <other>"; empty when there is none
# IDENTITY_MARKER  name of the marker in the work directory

# is_identity TEXT: whether it is a UUID.
is_identity() {
  case $1 in
    *[!0-9a-f-]*) return 1 ;;
    ????????-????-????-????-????????????) ;;
    *) return 1 ;;
  esac
}

# put FILE TEXT writes a file in one step: a crash leaves all of it or nothing.
put() {
  echo "$2" > "$1.part" && "$BUSYBOX" fsync "$1.part" && "$BUSYBOX" mv "$1.part" "$1"
}

# put_new does the same, and fails when the file is there: of two that cannot see each other's lock, one comes first.
put_new() {
  echo "$2" > "$1.part" && "$BUSYBOX" fsync "$1.part" && "$BUSYBOX" ln "$1.part" "$1" 2>/dev/null
  "$BUSYBOX" rm -f "$1.part"
}

# words FILE prints the words in a file, with one space between them.
words() (
  text=$("$BUSYBOX" cat "$1") || return 1
  set -f
  IFS=$(printf ' \t\n\r')
  # shellcheck disable=SC2086 # splitting is what it is for
  echo $text
)

# read_owner sets $owner to the identity that the folder is marked with; empty when it has none.
read_owner() {
  owner=
  mark=/data/$IDENTITY_MARKER
  [ -e "$mark" ] || [ -h "$mark" ] || return 0
  [ -f "$mark" ] && [ ! -h "$mark" ] && owner=$(words "$mark")
  is_identity "$owner" || refuse "the file $IDENTITY_MARKER in the volume $VOLUME_ID holds no identity, so nobody can tell whose hub the data belongs to: make sure that no other hub uses this folder, then delete that file on the NAS, and the next start claims the folder"
}

# check_owner refuses what belongs to another homelab, and sets $own and $owner. It writes nothing.
check_owner() {
  own=
  [ ! -e "$IDENTITY_FILE" ] || own=$(words "$IDENTITY_FILE") || refuse "cannot read $IDENTITY_FILE"
  adopts=
  case $own in
    *' adopts '*)
      adopts=${own#* adopts }
      own=${own%% *}
      is_identity "$adopts" || own="$own adopts $adopts"
      ;;
  esac
  [ -z "$own" ] || is_identity "$own" || refuse "the Nomad variable nomad/jobs/$JOB holds no identity but \"$own\": homelab secrets adopt $JOB … stores one"
  read_owner
  [ -n "$owner" ] && [ "$owner" != "$own" ] || return 0
  take_over="if no hub of that homelab will ever run on this folder again, homelab secrets adopt $JOB $owner lets this one take it over; as long as one may, starting a second one loses the channels"
  [ -n "$own" ] || refuse "the volume $VOLUME_ID belongs to the homelab $owner, and this cluster has no identity, as if it had been made anew: restore Nomad's snapshot; or, $take_over"
  [ "$adopts" = "$owner" ] || refuse "the volume $VOLUME_ID belongs to the homelab $owner, and this is the homelab $own: $take_over"
  lost=$mark-lost-$own
  [ ! -e "$lost" ] || refuse "the homelab $owner took the volume $VOLUME_ID over from this one: make sure that no hub of it will ever run on this folder again, then delete ${lost##*/} on the NAS"
}

# claim marks the folder as this homelab's, after check_owner.
claim() {
  if [ -z "$own" ]; then
    say "the volume $VOLUME_ID is claimed by no homelab, so the hub of another cluster could start on it as well: homelab secrets init makes this homelab's identity, and the next start claims the volume"
  elif [ "$owner" = "$own" ]; then
    return 0
  elif [ -n "$owner" ]; then
    # Otherwise two homelabs that have adopted it from each other would take turns, and nobody would be asked.
    put "$mark-lost-$owner" "$own" || refuse "cannot write to /data"
    put "$mark" "$own" || refuse "cannot write $IDENTITY_MARKER in /data"
    say "took the volume $VOLUME_ID over from the homelab $owner, as its owner asked: it belongs to the homelab $own now"
  else
    put_new "$mark" "$own"
    read_owner
    [ "$owner" = "$own" ] || refuse "cannot claim the volume $VOLUME_ID: ${owner:-nobody} has"
    say "claimed the volume $VOLUME_ID for the homelab $own"
  fi
}
