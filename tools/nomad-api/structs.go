package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

var (
	durationType    = reflect.TypeFor[time.Duration]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// field is one key of a JSON object, as encoding/json sees the Go struct behind it.
type field struct {
	owner   reflect.Type // the struct that declares it, for its comment
	name    string       // the name in Go
	key     string       // the key in JSON
	hcl     string       // the name in a jobspec file, "" when the field is not part of one
	hclName bool         // false for a block label, which has no name of its own
	typ     reflect.Type
}

// id is how the tables and the comments refer to a field: Type.Field.
func (f field) id() string { return f.owner.Name() + "." + f.name }

// fieldsOf lists the JSON keys of a struct in the order of the Go declaration.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("json") == "-":
			continue
		case options == "string":
			panic(fmt.Sprintf("%s.%s: json \",string\" is not handled", t, f.Name))
		case f.Anonymous && tag == "":
			// encoding/json lifts the fields of an embedded struct into its owner.
			fields = append(fields, fieldsOf(elem(f.Type))...)
			continue
		case !f.IsExported():
			continue
		}
		key := tag
		if key == "" {
			key = f.Name
		}
		hcl, kind, _ := strings.Cut(f.Tag.Get("hcl"), ",")
		fields = append(fields, field{
			owner: t, name: f.Name, key: key, typ: f.Type,
			hcl: hcl, hclName: hcl != "" || kind == "label",
		})
	}
	return fields
}

// reachable lists root and every struct its fields lead to, in the order they are met.
func reachable(root reflect.Type) []reflect.Type {
	var found []reflect.Type
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		t = elem(t)
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		if reflect.PointerTo(t).Implements(unmarshalerType) {
			// Its JSON is not its fields: both gen and check would be wrong about it.
			panic(fmt.Sprintf("%s has an UnmarshalJSON of its own, which is not handled", t))
		}
		seen[t] = true
		found = append(found, t)
		for _, f := range fieldsOf(t) {
			visit(f.typ)
		}
	}
	visit(root)
	return found
}

// elem strips pointers, lists and maps off a type.
func elem(t reflect.Type) reflect.Type {
	for {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			t = t.Elem()
		default:
			return t
		}
	}
}

// plain strips what people vary when they mistake a key: case and underscores.
func plain(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}
