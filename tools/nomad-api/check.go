package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"
)

var taskType = reflect.TypeFor[api.Task]()

// checkJob compares a decoded job with Nomad's types and reports everything
// that is wrong, each line starting with the JSON path. encoding/json alone
// would stop at the first problem, give no path, and take a key in any case.
func checkJob(job any) []string {
	c := &checker{}
	c.value("", job, reflect.TypeFor[api.Job]())
	if len(c.problems) > 0 {
		return c.problems
	}
	// Nomad's own decoder has the last word, should the walk have missed something.
	text, err := json.Marshal(job)
	if err != nil {
		return []string{err.Error()}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&api.Job{}); err != nil {
		return []string{err.Error()}
	}
	return nil
}

type checker struct {
	problems []string
}

func (c *checker) report(path, format string, args ...any) {
	said := fmt.Sprintf(format, args...)
	if path != "" {
		said = path + ": " + said
	}
	c.problems = append(c.problems, said)
}

// value checks one JSON value against the Go type that it is decoded into.
func (c *checker) value(path string, v any, t reflect.Type) {
	if v == nil {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			// Nomad prints its own jobs with these.
		default:
			c.report(path, "null; leave the key out")
		}
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		c.value(path, v, t.Elem())
	case reflect.Interface:
		// Nomad takes anything here.
	case reflect.Struct:
		if object, ok := v.(map[string]any); ok {
			c.structure(path, object, t)
		} else {
			c.mismatch(path, v, "an object")
		}
	case reflect.Map:
		object, ok := v.(map[string]any)
		if !ok {
			c.mismatch(path, v, "an object")
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			c.value(join(path, key), object[key], t.Elem())
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			c.bytes(path, v)
			return
		}
		list, ok := v.([]any)
		if !ok {
			c.mismatch(path, v, "a list")
		}
		for i, element := range list {
			c.value(fmt.Sprintf("%s[%d]", path, i), element, t.Elem())
		}
	case reflect.String:
		if _, ok := v.(string); !ok {
			c.mismatch(path, v, "a string")
		}
	case reflect.Bool:
		if _, ok := v.(bool); !ok {
			c.mismatch(path, v, "true or false")
		}
	default:
		c.integer(path, v, t)
	}
}

func (c *checker) structure(path string, object map[string]any, t reflect.Type) {
	fields := fieldsOf(t)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := join(path, key)
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		switch {
		case i < 0:
			c.report(at, "unknown key%s", suggestion(key, fields))
		case t == taskType && key == "Config":
			// A free map to Nomad; c.driver looks closer.
		default:
			c.value(at, object[key], fields[i].typ)
		}
	}
	if t == taskType {
		c.driver(path, object)
	}
}

// driver checks a task's Config against the options of its driver.
func (c *checker) driver(path string, task map[string]any) {
	driver, isString := task["Driver"].(string)
	switch {
	case task["Driver"] != nil && !isString:
		return // reported as a wrong type already
	case driver != "docker":
		c.report(join(path, "Driver"), "%q; only the docker driver is known here", driver)
		return
	}
	at := join(path, "Config")
	config, ok := task["Config"].(map[string]any)
	if !ok {
		c.report(at, "missing, or no object; the docker driver needs one")
		return
	}
	c.structure(at, config, reflect.TypeFor[DockerConfig]())
	if _, ok := config["image"]; !ok {
		c.report(join(at, "image"), "missing; the docker driver needs one")
	}
}

// integer checks a number for every integer type of Go; a job has no other numbers.
func (c *checker) integer(path string, v any, t reflect.Type) {
	wanted := "an integer"
	if t == durationType {
		wanted = "an integer of nanoseconds"
		if said, ok := v.(string); ok {
			if d, err := time.ParseDuration(said); err == nil {
				wanted += fmt.Sprintf(" (%d)", d.Nanoseconds())
			}
		}
	}
	number, ok := v.(json.Number)
	if !ok {
		c.mismatch(path, v, wanted)
		return
	}
	var err error
	if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
		_, err = strconv.ParseUint(number.String(), 10, t.Bits())
	} else {
		_, err = strconv.ParseInt(number.String(), 10, t.Bits())
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		c.report(path, "%s does not fit Go's %s", number, t.Kind())
	case err != nil:
		c.mismatch(path, v, wanted)
	}
}

func (c *checker) bytes(path string, v any) {
	said, ok := v.(string)
	if !ok {
		c.mismatch(path, v, "a string of base64")
	} else if _, err := base64.StdEncoding.DecodeString(said); err != nil {
		c.report(path, "%v; Nomad wants a string of base64", err)
	}
}

func (c *checker) mismatch(path string, v any, wanted string) {
	c.report(path, "%s; Nomad wants %s", describe(v), wanted)
}

// describe names a JSON value and its type, as in `"20m" is a string`.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%.60q is a string", v)
	case json.Number:
		return fmt.Sprintf("%s is a number", v)
	case bool:
		return fmt.Sprintf("%t is a boolean", v)
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// join appends a key to a JSON path, quoted where a dot would mislead.
func join(path, key string) string {
	if !identifier.MatchString(key) {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
