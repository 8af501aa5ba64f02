#!/bin/sh
# Runs as root on a kernel of its own, see lock.test.ts: an NFS server, and machines that are network namespaces with a
# host name and a chroot of their own, in which the start script of Alby Hub runs as a container's first process. Prints
# sections that the test reads. What it needs is in /nfs: the rendered scripts, and the two homelabs' identities.

set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
NAS=/srv/nas
section() { printf '\n== %s\n' "$1"; }
seconds() { cut -d. -f1 /proc/uptime; }
# until_true SECONDS COMMAND… tries once a second.
until_true() {
  end=$(($(seconds) + $1))
  shift
  until "$@"; do
    [ "$(seconds)" -lt "$end" ] || { echo "never came true: $*"; return 1; }
    sleep 1
  done
}

# server starts NFS 3 and 4 with a lease of 10 s, so that a lost client's locks go soon.
server() {
  for module in nfsd nfs nfsv4 nfsv3 veth bridge; do modprobe "$module"; done
  mkdir -p $NAS /var/lib/nfs/rpc_pipefs /var/lib/nfs/nfsdcltrack /var/lib/nfs/v4recovery
  mount -t tmpfs tmpfs $NAS
  mount -t nfsd nfsd /proc/fs/nfsd
  mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
  echo 10 > /proc/fs/nfsd/nfsv4leasetime
  echo 10 > /proc/fs/nfsd/nfsv4gracetime
  ip link add br0 type bridge
  ip addr add 10.77.0.1/24 dev br0
  ip link set br0 up
  echo "$NAS 10.77.0.0/24(rw,sync,no_subtree_check,fsid=0,no_root_squash)" > /etc/exports
  rpcbind -w
  exportfs -ra
  rpc.mountd
  rpc.nfsd 4
  rpc.statd
}

# machine N makes one, with the stand-ins for electrs and for the hub.
machine() {
  root=/machine$1
  ip netns add "machine$1"
  ip link add "v$1" type veth peer name "e$1"
  ip link set "v$1" master br0 up
  ip link set "e$1" netns "machine$1"
  ip -n "machine$1" addr add "10.77.0.1$1/24" dev "e$1"
  ip -n "machine$1" link set "e$1" up
  ip -n "machine$1" link set lo up
  for folder in bin data local secrets alloc/bin alloc/data proc dev tmp; do mkdir -p "$root/$folder"; done
  cp /usr/local/bin/busybox "$root/alloc/bin/busybox"
  mount --bind /proc "$root/proc"
  mount --bind /dev "$root/dev"
  cp /nfs/entry "$root/local/entry"
  echo 127.0.0.1:15555 > "$root/local/electrs"
  echo password > "$root/secrets/database_password"
  echo unlock > "$root/secrets/auto_unlock_password"
  # Like the hub it writes for ever, and ends at once upon QUIT.
  cat > "$root/bin/main" <<MAIN
#!/alloc/bin/busybox sh
b=/alloc/bin/busybox
trap 'echo "main: ended by QUIT"; exit 131' QUIT
echo "main: runs"
exec 8>>/data/ldk/storage/ldk_node_data.sqlite
while :; do
  echo machine$1 >&8
  \$b fsync /data/ldk/storage/ldk_node_data.sqlite
  \$b sleep 1 &
  wait \$!
done
MAIN
  chmod +x "$root/bin/main"
  ip netns exec "machine$1" busybox nc -ll -p 15555 -e /nfs/electrs &
}

# mounted N FOLDER SHARE HOSTNAME OPTIONS mounts as the CSI plugin does: mount in the machine's network, whose host name
# is that of the machine.
mounted() {
  mkdir -p "$2"
  nsenter "--net=/run/netns/machine$1" unshare --uts sh -c "hostname $4; exec mount -t nfs -o nosharecache,$5 10.77.0.1:$3 $2"
}

# start N runs the start script in the background; its log is /nfs/log.N.
start() {
  /nfs/container "$1" > "/nfs/log.$1" 2>&1 &
  eval "pid$1=$!"
}
# retry N runs it again whenever it ends, like Nomad.
retry() {
  (
    trap 'kill -KILL $child; exit' TERM
    while :; do
      /nfs/container "$1" &
      child=$!
      wait $child
      sleep 1
    done
  ) > "/nfs/log.$1" 2>&1 &
  eval "pid$1=$!"
}
stop() { eval "kill -\${2:-KILL} \$pid$1; wait \$pid$1" 2>/dev/null; }
log() { sed "s/^/$1: /" "/nfs/log.$1"; }
# once N runs it to its end, for a minute at most.
once() {
  timeout -s KILL 60 /nfs/container "$1" 2>&1
  echo "status $?"
}
identity() { cp "/nfs/identity-$2" "/machine$1/local/identity"; }
# old_hub FOLDER makes the work directory of a hub that version 0.1.0 has run.
old_hub() {
  mkdir -p "$1/ldk/storage"
  echo albyhub-data > "$1/.homelab-volume"
  : > "$1/.homelab-volume.lightning"
  echo old > "$1/ldk/storage/ldk_node_data.sqlite"
  chmod -R 777 "$1"
}
state() { echo "$NAS/$1/ldk/storage/ldk_node_data.sqlite"; }
# runs N: whether the hub of a machine was started, since its log began.
runs() { grep -q 'main: runs' "/nfs/log.$1"; }
# writers SECONDS VOLUME prints who has written in each of them.
writers() {
  for _ in $(seq "$1"); do
    before=$(wc -l < "$(state "$2")")
    sleep 1
    echo "writers:$(tail -n +$((before + 1)) "$(state "$2")" | sort -u | tr '\n' ' ' | sed 's/^/ /; s/ $//')"
  done
}

# container N runs the start script as the first process of its PID namespace, and ends with it. A shell lets what it
# starts in the background ignore QUIT.
cat > /nfs/container <<'CONTAINER'
#!/bin/sh
exec env --default-signal nsenter "--net=/run/netns/machine$1" unshare --pid --fork --kill-child chroot "/machine$1" \
  /alloc/bin/busybox sh /local/entry
CONTAINER
# Answers as electrs does when its index is complete.
cat > /nfs/electrs <<'ELECTRS'
#!/bin/sh
while read -r _; do echo '{"id":1,"jsonrpc":"2.0","result":null}'; done
ELECTRS
chmod +x /nfs/container /nfs/electrs
server
machine 1
machine 2
V4=vers=4.1,hard,noatime
old_hub $NAS/four
old_hub $NAS/three
mounted 1 /machine1/data /four pinode1 $V4
mounted 2 /machine2/data /four pinode2 $V4

section "the names of the clients"
sed -n 's/^name: //p' /proc/fs/nfsd/clients/*/info

section "a second start on another machine"
identity 1 a
identity 2 a
start 1
until_true 60 runs 1
log 1
once 2

section "other writers"
# shellcheck disable=SC2034 # of the scripts
export NOMAD_ALLOC_DIR=/nfs/alloc NOMAD_TASK_DIR=/nfs/task NOMAD_TASK_NAME=copy NOMAD_META_job=albyhub BACKUP=/nfs/backup
mkdir -p /nfs/alloc /nfs/task /nfs/backup
mounted 2 /nfs/read-only/albyhub /four pinode2 ro,$V4
DATA=/nfs/read-only nsenter --net=/run/netns/machine2 sh /nfs/copy 2>&1
mounted 2 /nfs/writable/albyhub /four pinode2 $V4
DATA=/nfs/writable nsenter --net=/run/netns/machine2 sh /nfs/copy-back 2>&1

section "a machine that is cut off, and comes back"
ip link set v1 down
at=$(seconds)
retry 2
until_true 120 runs 2 && echo "machine2 runs $(($(seconds) - at)) s after machine1 was cut off"
sleep 3
ip link set v1 up
writers 25 four
log 1
log 2 | sort | uniq -c | sort -rn | sed 's/^ *[0-9]* //'
once 1
stop 1
stop 2 TERM

section "another homelab"
identity 1 b
once 1
echo "$(cat /nfs/identity-b) adopts $(cat /nfs/identity-a)" > /machine1/local/identity
start 1
until_true 60 runs 1
log 1
stop 1
once 2

section "a copy while nobody writes, and a start while it is made"
rm -rf /nfs/alloc/* /nfs/backup/*
nsenter --net=/run/netns/machine2 sh -c "exec 9</nfs/read-only/albyhub/.homelab-lock; flock -s -n 9; echo shared: \$?; sleep 20" &
sleep 3
once 1
wait $!
DATA=/nfs/read-only nsenter --net=/run/netns/machine2 sh /nfs/copy 2>&1

section "NFS 3 without locks"
umount /machine1/data /machine2/data
identity 1 a
identity 2 a
mounted 1 /machine1/data $NAS/three pinode1 vers=3,hard
mounted 2 /machine2/data $NAS/three pinode2 vers=3,hard
start 1
until_true 60 runs 1
start 2
until_true 60 runs 2
writers 20 three
log 1
log 2
stop 1
stop 2

section "NFS 3 with nolock"
umount /machine1/data
mounted 1 /machine1/data $NAS/three pinode1 vers=3,hard,nolock
start 1
until_true 60 runs 1
log 1
stop 1

section "two machines with one host name"
# All of a machine's mounts of one server are one client, which has the name of the first.
umount /machine1/data /machine2/data /nfs/read-only/albyhub /nfs/writable/albyhub
mounted 1 /machine1/data /four raspberrypi $V4
mounted 2 /machine2/data /four raspberrypi $V4
sed -n 's/^name: //p' /proc/fs/nfsd/clients/*/info
identity 1 b
identity 2 b
start 1
until_true 60 runs 1
once 2
log 1

section "the end"
