package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// checkFile strictly decodes every job of a file and returns how many there
// are, with one line per problem.
func checkFile(path string) (jobs int, problems []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, []string{err.Error()}
	}
	top, err := decode(string(text))
	if err != nil {
		return 0, []string{fmt.Sprintf("not JSON: %v", err)}
	}
	if object, ok := top.(map[string]any); ok && isStack(object) {
		return checkStack(object)
	}
	return 1, checkSpec(top)
}

// isStack tells Terraform's JSON from a job's: a job has no lower-case key.
func isStack(top map[string]any) bool {
	return top["terraform"] != nil || top["provider"] != nil || top["resource"] != nil
}

// checkStack checks resource.nomad_job.*.jobspec of a cdk.tf.json.
func checkStack(top map[string]any) (jobs int, problems []string) {
	resources, _ := top["resource"].(map[string]any)
	nomadJobs, _ := resources["nomad_job"].(map[string]any)
	if len(nomadJobs) == 0 {
		return 0, []string{"no nomad_job in this stack"}
	}
	for _, name := range slices.Sorted(maps.Keys(nomadJobs)) {
		for _, problem := range checkResource(nomadJobs[name]) {
			problems = append(problems, fmt.Sprintf("nomad_job.%s: %s", name, problem))
		}
	}
	return len(nomadJobs), problems
}

func checkResource(resource any) []string {
	attributes, _ := resource.(map[string]any)
	jobspec, ok := attributes["jobspec"].(string)
	if !ok {
		return []string{"jobspec: missing, or no string"}
	}
	if attributes["json"] != true {
		return []string{"json: not true, so the provider reads the jobspec as HCL"}
	}
	if open := interpolation.FindStringSubmatch(jobspec); open != nil {
		return []string{fmt.Sprintf("jobspec: %s is not doubled, so Terraform evaluates it instead of Nomad", open[1]+open[2])}
	}
	spec, err := decode(unescape.Replace(jobspec))
	if err != nil {
		return []string{fmt.Sprintf("jobspec: not JSON: %v", err)}
	}
	return checkSpec(spec)
}

// Terraform reads "${" and "%{" in a string as the start of a template, and
// each of them with its first character doubled as the plain text.
var (
	unescape      = strings.NewReplacer("$${", "${", "%%{", "%{")
	interpolation = regexp.MustCompile(`(?:^|[^$])(\$\{[^}"]*\}?)|(?:^|[^%])(%\{[^}"]*\}?)`)
)

// checkSpec takes a job with or without the wrapper that Nomad's API knows.
func checkSpec(spec any) []string {
	if object, ok := spec.(map[string]any); ok && object["Job"] != nil {
		if len(object) > 1 {
			keys := slices.DeleteFunc(slices.Sorted(maps.Keys(object)), func(key string) bool { return key == "Job" })
			return []string{fmt.Sprintf("%s: beside Job, where nothing is read", strings.Join(keys, ", "))}
		}
		spec = object["Job"]
	}
	return checkJob(spec)
}

// decode reads one JSON value and keeps numbers as they are written.
func decode(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the value")
	}
	return value, nil
}
