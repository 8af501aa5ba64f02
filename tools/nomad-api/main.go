// Command nomad-api keeps the TypeScript of this project honest about Nomad's
// job JSON. It reads Nomad's own Go types, so no key is typed by hand:
//
//	go run . gen [-o DIR]    writes job.ts, docker-config.ts and field-names.ts
//	go run . check FILE...   strictly decodes the jobs of synthesized stacks
//	go run . cron TIME       what Nomad makes of the schedules on standard input
//
// It runs in its own folder, where go.mod pins the version of Nomad's types.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const usage = `usage:
  nomad-api gen [-o DIR]    write the TypeScript types of Nomad's job JSON (default ../../.gen/nomad)
  nomad-api check FILE...   strictly decode every job of cdk.tf.json or plain JSON job files
  nomad-api cron TIME       print the next times after this one of every cron expression on standard input
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command and returns the exit status: 0 done, 1 failed, 2 wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch command, rest := args[0], args[1:]; command {
		case "gen":
			return runGen(rest, stdout, stderr)
		case "check":
			return runCheck(rest, stdout, stderr)
		case "cron":
			if len(rest) == 1 {
				return runCron(rest[0], os.Stdin, stdout, stderr)
			}
		}
	}
	fmt.Fprint(stderr, usage)
	return 2
}

func runGen(args []string, stdout, stderr io.Writer) int {
	flags := newFlagSet("gen", stderr)
	dir := flags.String("o", filepath.Join("..", "..", ".gen", "nomad"), "output folder")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return usageStatus(err, stderr)
	}
	files, err := generate()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	for _, file := range files {
		path := filepath.Join(*dir, file.name)
		if err := os.WriteFile(path, file.text, 0o644); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		fmt.Fprintf(stdout, "%s: %s\n", path, file.holds)
	}
	return 0
}

func runCheck(args []string, stdout, stderr io.Writer) int {
	flags := newFlagSet("check", stderr)
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return usageStatus(err, stderr)
	}
	jobs, failed := 0, false
	for _, path := range flags.Args() {
		n, problems := checkFile(path)
		jobs += n
		for _, problem := range problems {
			failed = true
			fmt.Fprintf(stderr, "%s: %s\n", path, problem)
		}
	}
	if failed {
		return 1
	}
	fmt.Fprintf(stdout, "%d jobs in %d files: every key known, every type right\n", jobs, flags.NArg())
	return 0
}

func newFlagSet(name string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	return flags
}

// usageStatus is for a failed flag parse, which has printed the usage, and for
// a wrong number of arguments, which has not. Asking for help is no failure.
func usageStatus(err error, stderr io.Writer) int {
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		fmt.Fprint(stderr, usage)
	}
	return 2
}
