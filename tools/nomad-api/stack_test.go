package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stackWith is a cdk.tf.json with one job, its text escaped as Terraform wants it.
func stackWith(t *testing.T, attributes map[string]any) string {
	t.Helper()
	if spec, ok := attributes["jobspec"].(string); ok {
		attributes["jobspec"] = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(spec)
	}
	return write(t, map[string]any{
		"terraform": map[string]any{},
		"resource":  map[string]any{"nomad_job": map[string]any{"bitcoin": attributes}},
	})
}

func write(t *testing.T, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cdk.tf.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func command(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

func TestCountsTheJobsOfStacksAndPlainFiles(t *testing.T) {
	status, stdout, stderr := command("check", stackWith(t, map[string]any{"json": true, "jobspec": goodJob(t)}), "testdata/job.json")
	if status != 0 || stdout != "2 jobs in 2 files: every key known, every type right\n" || stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestNamesFileResourceAndPathOfAProblem(t *testing.T) {
	path := stackWith(t, map[string]any{"json": true, "jobspec": planted(t, `"KillTimeout"`, `"kill_timeout"`)})
	status, stdout, stderr := command("check", path)
	want := path + ": nomad_job.bitcoin: TaskGroups[0].Tasks[1].kill_timeout: unknown key (did you mean KillTimeout?)\n"
	if status != 1 || stdout != "" || stderr != want {
		t.Errorf("status %d, stdout %q, stderr\n%s\nwant\n%s", status, stdout, stderr, want)
	}
}

func TestUndoesTerraformsEscapes(t *testing.T) {
	const escaped = `$${node.unique.name} %%{if} $$${x} $ % 5%`
	if got, want := unescape.Replace(escaped), `${node.unique.name} %{if} $${x} $ % 5%`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefusesAStackWhoseJobsNomadWouldNotSee(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		want string
	}{
		"no job at all": {
			write(t, map[string]any{"terraform": map[string]any{}, "resource": map[string]any{"nomad_namespace": map[string]any{}}}),
			"no nomad_job in this stack",
		},
		"a job in HCL": {
			stackWith(t, map[string]any{"jobspec": `job "x" {}`}),
			"nomad_job.bitcoin: json: not true, so the provider reads the jobspec as HCL",
		},
		"no jobspec": {
			stackWith(t, map[string]any{"json": true}),
			"nomad_job.bitcoin: jobspec: missing, or no string",
		},
		"a broken jobspec": {
			stackWith(t, map[string]any{"json": true, "jobspec": `{"ID":`}),
			"nomad_job.bitcoin: jobspec: not JSON: unexpected EOF",
		},
		"keys beside the wrapper": {
			stackWith(t, map[string]any{"json": true, "jobspec": `{"Job":{},"TaskGroups":[]}`}),
			"nomad_job.bitcoin: TaskGroups: beside Job, where nothing is read",
		},
		"an interpolation that Terraform would take for its own": {
			write(t, map[string]any{"resource": map[string]any{"nomad_job": map[string]any{
				"bitcoin": map[string]any{"json": true, "jobspec": `{"Region":"${attr.unique.hostname}"}`}}}}),
			"nomad_job.bitcoin: jobspec: ${attr.unique.hostname} is not doubled, so Terraform evaluates it instead of Nomad",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := checkFile(c.path); !slices.Equal(got, []string{c.want}) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefusesAFileThatIsNoJSON(t *testing.T) {
	status, _, stderr := command("check", "go.mod")
	if status != 1 || !strings.HasPrefix(stderr, "go.mod: not JSON: ") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

func TestWrongUsageIsStatusTwo(t *testing.T) {
	for _, args := range [][]string{{}, {"check"}, {"gen", "somewhere"}, {"generate"}, {"gen", "-x"}} {
		if status, _, stderr := command(args...); status != 2 || !strings.Contains(stderr, "usage:") {
			t.Errorf("%q: status %d, stderr %q", args, status, stderr)
		}
	}
}
