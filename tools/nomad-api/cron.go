package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/cronexpr"
)

// How many times of a schedule are printed.
const cronTimes = 3

// runCron reads schedules, one a line, and prints what Nomad's own parser makes of each: the next times after the given
// one in UTC, "never", or "error". Nomad turns a panic of the parser into an error too.
//
// See https://github.com/hashicorp/nomad/blob/v2.0.5/nomad/structs/structs.go#L5963 CronParseNext
func runCron(from string, schedules io.Reader, stdout, stderr io.Writer) int {
	start, err := time.Parse(time.RFC3339, from)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	lines := bufio.NewScanner(schedules)
	for lines.Scan() {
		fmt.Fprintln(stdout, nextTimes(lines.Text(), start.UTC()))
	}
	return 0
}

func nextTimes(schedule string, from time.Time) (told string) {
	defer func() {
		if recover() != nil {
			told = "error"
		}
	}()
	expression, err := cronexpr.Parse(schedule)
	if err != nil {
		return "error"
	}
	times := []string{}
	for range cronTimes {
		if from = expression.Next(from); from.IsZero() {
			break
		}
		times = append(times, from.Format(time.RFC3339))
	}
	if len(times) == 0 {
		return "never"
	}
	return strings.Join(times, " ")
}
