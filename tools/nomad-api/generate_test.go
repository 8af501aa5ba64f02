package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// generated runs gen once for all tests that look at what it writes.
func generated(t *testing.T) (job, docker, names string) {
	t.Helper()
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	return string(files[0].text), string(files[1].text), string(files[2].text)
}

func TestTwoRunsGiveTheSameBytes(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if status, _, stderr := command("gen", "-o", dir); status != 0 {
			t.Fatal(stderr)
		}
	}
	for _, name := range []string{"job.ts", "docker-config.ts", "field-names.ts"} {
		a, errA := os.ReadFile(filepath.Join(first, name))
		b, errB := os.ReadFile(filepath.Join(second, name))
		if errA != nil || errB != nil || len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two runs, or is missing", name)
		}
	}
}

func TestCommittedFilesAreUpToDate(t *testing.T) {
	job, docker, names := generated(t)
	for name, want := range map[string]string{"job.ts": job, "docker-config.ts": docker, "field-names.ts": names} {
		got, err := os.ReadFile(filepath.Join("..", "..", ".gen", "nomad", name))
		if err != nil || string(got) != want {
			t.Errorf("%s is not what gen writes: run npm run gen (%v)", name, err)
		}
	}
}

func TestTypesSayWhatNomadTakes(t *testing.T) {
	job, docker, _ := generated(t)
	for _, line := range []string{
		"export type Nanoseconds = number & { readonly [nanoseconds]: true };",
		"export type JobType = \"service\" | \"batch\" | \"system\" | \"sysbatch\";",
		"export type NetworkMode = \"bridge\" | \"host\" | \"none\" | `cni/${string}`;",
		"export type ConsulMeshConfigEntry = Record<string, never>;",
		"  ID: string;",
		"  Region?: string;",
		"  Driver: \"docker\";",
		"  Config: DockerConfig;",
		"  KillTimeout?: Nanoseconds;",
		"  ShutdownDelay?: Nanoseconds;",
		"  Volumes?: Record<string, VolumeRequest>;",
		"  AccessMode?: CSIVolumeAccessMode | HostVolumeAccessMode;",
		"  Header?: Record<string, string[]>;",
		"  Policy?: Record<string, unknown>;",
		"  /** In HCL: `restart`. */",
		"   * Identities with the name \"default\"",
	} {
		if !strings.Contains(job, "\n"+line+"\n") {
			t.Errorf("job.ts lacks the line %s", line)
		}
	}
	for _, line := range []string{
		"  image: string;",
		"  logging?: DockerLogging;",
		"  labels?: Record<string, string>[];",
		"  /** Mounts the container's root file system read-only (`docker run --read-only`). */",
	} {
		if !strings.Contains(docker, "\n"+line+"\n") {
			t.Errorf("docker-config.ts lacks the line %s", line)
		}
	}
	if strings.Contains(job, "ExtraKeysHCL") {
		t.Error(`job.ts has a field that is tagged json:"-"`)
	}
}

func TestFieldNamesAreThoseOfAJobAtAnyDepth(t *testing.T) {
	_, _, names := generated(t)
	for _, name := range []string{"ID", "TaskGroups", "KillTimeout", "LostAfter", "PerAlloc", "Envvars"} {
		if strings.Count(names, "\n  \""+name+"\",\n") != 1 {
			t.Errorf("field-names.ts does not name %s once", name)
		}
	}
	for _, name := range []string{"privileged", "ExtraKeysHCL"} {
		if strings.Contains(names, "\""+name+"\"") {
			t.Errorf("field-names.ts names %s, which is no field of a job", name)
		}
	}
}

func TestFieldsFollowEncodingJSON(t *testing.T) {
	type Base struct{ Shared string }
	type example struct {
		Base
		Renamed string `json:"renamed,omitempty"`
		Kept    string `json:",omitempty"`
		Hidden  string `json:"-"`
		private string
	}
	var keys []string
	for _, f := range fieldsOf(reflect.TypeFor[example]()) {
		keys = append(keys, f.key)
	}
	if want := []string{"Shared", "renamed", "Kept"}; !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}

func TestEveryDockerOptionIsDescribed(t *testing.T) {
	said := comments{}
	if err := said.readFile("docker.go", dockerSource); err != nil {
		t.Fatal(err)
	}
	for _, typ := range reachable(reflect.TypeFor[DockerConfig]()) {
		for _, f := range fieldsOf(typ) {
			if said[f.id()] == "" {
				t.Errorf("%s has no comment", f.id())
			}
		}
	}
}

func TestTablesRefuseAFieldThatNomadHasDropped(t *testing.T) {
	known := slices.Concat(reachable(reflect.TypeFor[api.Job]()), reachable(reflect.TypeFor[DockerConfig]()))
	if err := checkTables(known); err != nil {
		t.Error(err)
	}
	required["Job.Dropped"] = "a test"
	defer delete(required, "Job.Dropped")
	if err := checkTables(known); err == nil || !strings.Contains(err.Error(), "Job.Dropped") {
		t.Errorf("got %v", err)
	}
}
