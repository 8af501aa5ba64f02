package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Where the test puts the disk of the NAS: inside of the folder that Nomad shows to every CSI plugin.
const nas = "/local/csi/nas"

var mountFlags = map[string]uintptr{
	"ro": syscall.MS_RDONLY, "noatime": syscall.MS_NOATIME, "nosuid": syscall.MS_NOSUID, "nodev": syscall.MS_NODEV,
	"noexec": syscall.MS_NOEXEC, "nodiratime": syscall.MS_NODIRATIME, "relatime": syscall.MS_RELATIME,
}

// Options of nfs(5) and mount(8) that take no effect here. Everything else is refused, as a misspelt option is.
var nfsOptions = []string{
	"rw", "hard", "soft", "softerr", "nolock", "lock", "tcp", "_netdev", "defaults", "nfsvers=4", "nfsvers=4.1",
	"nfsvers=4.2", "vers=4.1", "vers=4.2", "proto=tcp", "sec=sys", "actimeo=", "timeo=", "retrans=", "rsize=", "wsize=",
	"nconnect=",
}

// mount stands for mount -t nfs: SERVER:/PATH is the folder PATH on the disk of the NAS. It answers in the words and
// with the exit code of mount.nfs.
func mount(arguments []string) {
	var kind, options string
	var places []string
	for index := 0; index < len(arguments); index++ {
		switch argument := arguments[index]; {
		case argument == "-t" && index+1 < len(arguments):
			index++
			kind = arguments[index]
		case argument == "-o" && index+1 < len(arguments):
			index++
			options = arguments[index]
		default:
			places = append(places, argument)
		}
	}
	if kind != "nfs" || len(places) != 2 {
		refuse("mount: the stand-in mounts NFS only, not %q", arguments)
	}
	flags := uintptr(0)
	for _, option := range strings.FieldsFunc(options, func(r rune) bool { return r == ',' }) {
		flag, effective := mountFlags[option]
		flags |= flag
		key, _, _ := strings.Cut(option, "=")
		if !effective && !slices.Contains(nfsOptions, option) && !slices.Contains(nfsOptions, key+"=") {
			refuse("mount.nfs: an incorrect mount option was specified")
		}
	}
	_, path, found := strings.Cut(places[0], ":/")
	if !found {
		refuse("mount.nfs: remote share not in 'host:dir' format")
	}
	source := filepath.Join(nas, path)
	if about, err := os.Stat(source); err != nil || !about.IsDir() {
		refuse("mount.nfs: mounting %s failed, reason given by server: No such file or directory", places[0])
	}
	if err := bind(source, places[1], flags); err != nil {
		refuse("mount.nfs: %v", err)
	}
}

// bind gives the mount its flags before it reaches the target: it travels to the host as it is at that moment.
func bind(source, target string, flags uintptr) error {
	stage, err := os.MkdirTemp("", "mount")
	if err != nil {
		return err
	}
	defer os.Remove(stage)
	if err := syscall.Mount(source, stage, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	defer syscall.Unmount(stage, 0)
	if err := syscall.Mount("", stage, "", syscall.MS_REMOUNT|syscall.MS_BIND|flags, ""); err != nil {
		return fmt.Errorf("%s: flags: %w", source, err)
	}
	return syscall.Mount(stage, target, "", syscall.MS_BIND, "")
}

// umount says of a folder that is no mount point what util-linux says, since callers look for it.
func umount(arguments []string) {
	target := arguments[len(arguments)-1]
	switch err := syscall.Unmount(target, 0); err {
	case nil:
	case syscall.EINVAL:
		refuse("umount: %s: not mounted.", target)
	default:
		refuse("umount: %s: %v.", target, err)
	}
}

func refuse(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(32)
}
