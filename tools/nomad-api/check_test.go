package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// goodJob is a job as this project writes them, with every kind of value.
func goodJob(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/job.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// planted is the good job with one text put in place of another.
func planted(t *testing.T, old, new string) string {
	t.Helper()
	job := goodJob(t)
	if !strings.Contains(job, old) {
		t.Fatalf("testdata/job.json does not contain %s", old)
	}
	return strings.Replace(job, old, new, 1)
}

func problemsOf(t *testing.T, job string) []string {
	t.Helper()
	value, err := decode(job)
	if err != nil {
		t.Fatal(err)
	}
	return checkSpec(value)
}

func TestAcceptsAGoodJob(t *testing.T) {
	if problems := problemsOf(t, goodJob(t)); len(problems) > 0 {
		t.Errorf("refused: %q", problems)
	}
}

func TestAcceptsTheWrapperOfNomadsAPI(t *testing.T) {
	if problems := problemsOf(t, `{"Job":`+goodJob(t)+`}`); len(problems) > 0 {
		t.Errorf("refused: %q", problems)
	}
}

func TestRefusesWhatNomadWouldDropOrMisread(t *testing.T) {
	const bitcoind = "TaskGroups[0].Tasks[1]."
	for name, c := range map[string]struct{ old, new, want string }{
		"a key of HCL": {
			`"KillTimeout": 900000000000`, `"kill_timeout": 900000000000`,
			bitcoind + "kill_timeout: unknown key (did you mean KillTimeout?)",
		},
		"a key in the wrong case, which Go would take": {
			`"KillTimeout"`, `"killTimeout"`,
			bitcoind + "killTimeout: unknown key (did you mean KillTimeout?)",
		},
		"a key that HCL names quite differently": {
			`"EmbeddedTmpl"`, `"data"`,
			bitcoind + "Templates[0].data: unknown key (did you mean EmbeddedTmpl?)",
		},
		"a key like no other": {
			`"User": "3001"`, `"Flavour": "3001"`,
			bitcoind + "Flavour: unknown key",
		},
		"a key below a map": {
			`"AccessMode"`, `"Access"`,
			"TaskGroups[0].Volumes.data.Access: unknown key",
		},
		"a duration in words": {
			`"KillTimeout": 900000000000`, `"KillTimeout": "20m"`,
			bitcoind + `KillTimeout: "20m" is a string; Nomad wants an integer of nanoseconds (1200000000000)`,
		},
		"a duration that is none": {
			`"KillTimeout": 900000000000`, `"KillTimeout": "soon"`,
			bitcoind + `KillTimeout: "soon" is a string; Nomad wants an integer of nanoseconds`,
		},
		"a fraction": {
			`"CPU": 2000`, `"CPU": 2000.5`,
			bitcoind + "Resources.CPU: 2000.5 is a number; Nomad wants an integer",
		},
		"a number that is too great": {
			`"Weight": 100`, `"Weight": 300`,
			"TaskGroups[0].Affinities[0].Weight: 300 does not fit Go's int8",
		},
		"a number for a string": {
			`"version": "1"`, `"version": 1`,
			"Meta.version: 1 is a number; Nomad wants a string",
		},
		"an object for a list": {
			`"Checks": [{ "Type": "tcp", "Interval": 30000000000, "Timeout": 5000000000 }]`, `"Checks": {}`,
			"TaskGroups[0].Services[0].Checks: an object; Nomad wants a list",
		},
		"a string for a boolean": {
			`"Sidecar": true`, `"Sidecar": "true"`,
			`TaskGroups[0].Tasks[0].Lifecycle.Sidecar: "true" is a string; Nomad wants true or false`,
		},
		"a null that Go would take for zero": {
			`"Interval": 30000000000`, `"Interval": null`,
			"TaskGroups[0].Services[0].Checks[0].Interval: null; leave the key out",
		},
		"a key that needs quotes in a path": {
			`"HOME": "/data"`, `"my.home": 1`,
			bitcoind + `Env["my.home"]: 1 is a number; Nomad wants a string`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, planted(t, c.old, c.new))
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestRefusesWhatTheDockerDriverWouldRefuse(t *testing.T) {
	const config = "TaskGroups[0].Tasks[1].Config."
	for name, c := range map[string]struct{ old, new, want string }{
		"a misspelt option": {
			`"privileged"`, `"privilaged"`,
			config + "privilaged: unknown key (did you mean privileged?)",
		},
		"a misspelt option of a nested block": {
			`"tmpfs_options"`, `"tmpfs_option"`,
			config + "mount[0].tmpfs_option: unknown key (did you mean tmpfs_options?)",
		},
		"a plain map where the driver wants a list of maps": {
			`"labels": [{ "owner": "homelab" }]`, `"labels": { "owner": "homelab" }`,
			config + "labels: an object; Nomad wants a list",
		},
		"a task without an image": {
			`"image": "bitcoin/bitcoin:29.1",`, ``,
			config + "image: missing; the docker driver needs one",
		},
		"another driver": {
			`"Driver": "docker",
          "User"`, `"Driver": "exec",
          "User"`,
			`TaskGroups[0].Tasks[1].Driver: "exec"; only the docker driver is known here`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, planted(t, c.old, c.new))
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestReportsEveryProblemAtOnce(t *testing.T) {
	job := `{"id":"x","Priority":"high","TaskGroups":[{"Tasks":[{"Driver":"docker","Config":{"image":1,"arg":[]}}]}]}`
	want := []string{
		`Priority: "high" is a string; Nomad wants an integer`,
		"TaskGroups[0].Tasks[0].Config.arg: unknown key (did you mean args?)",
		"TaskGroups[0].Tasks[0].Config.image: 1 is a number; Nomad wants a string",
		"id: unknown key (did you mean ID?)",
	}
	if got := problemsOf(t, job); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
