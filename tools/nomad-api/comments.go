package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const apiModule = "github.com/hashicorp/nomad/api"

// The source of DockerConfig, because reflection does not see comments.
//
//go:embed docker.go
var dockerSource string

// locateModule asks the go command which version of Nomad's types go.mod pins,
// and where their source lies.
func locateModule() (version, dir string, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}\n{{.Dir}}", apiModule).Output()
	if err != nil {
		return "", "", fmt.Errorf("go list -m %s: %w (gen runs in the folder of its go.mod)", apiModule, err)
	}
	version, dir, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return version, dir, nil
}

// comments are the Go comments of struct types and their fields, by Type and Type.Field.
type comments map[string]string

// readDir adds the comments of a package. Its tests declare types of their own.
func (c comments) readDir(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		if err := c.readFile(path, nil); err != nil {
			return err
		}
	}
	return nil
}

// readFile adds the comments of one file, or of source when that is given.
func (c comments) readFile(path string, source any) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			typ := spec.(*ast.TypeSpec)
			body, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			c[typ.Name.Name] = text(typ.Doc, gen.Doc)
			for _, f := range body.Fields.List {
				for _, name := range f.Names {
					c[typ.Name.Name+"."+name.Name] = text(f.Doc, f.Comment)
				}
			}
		}
	}
	return nil
}

// text is the first comment that says anything: the one above, or the one behind.
func text(groups ...*ast.CommentGroup) string {
	for _, group := range groups {
		if said := strings.TrimSpace(group.Text()); said != "" {
			return said
		}
	}
	return ""
}

// Nomad writes either; editors strike a field through when it is tagged.
var deprecated = regexp.MustCompile(`(?m)^(XXX Deprecated\.|Deprecated:) `)

// tsdoc renders a comment at an indentation, or nothing.
func tsdoc(said, indent string) string {
	if said == "" {
		return ""
	}
	said = deprecated.ReplaceAllString(said, "@deprecated ")
	said = strings.ReplaceAll(said, "*/", "*\\/")
	lines := strings.Split(said, "\n")
	if len(lines) == 1 {
		return fmt.Sprintf("%s/** %s */\n", indent, lines[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s/**\n", indent)
	for _, line := range lines {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(indent+" * "+line, " \t"))
	}
	fmt.Fprintf(&b, "%s */\n", indent)
	return b.String()
}
