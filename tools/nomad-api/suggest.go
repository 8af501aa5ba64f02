package main

import "fmt"

// suggestion offers the key that was probably meant, or nothing: the key in
// another spelling, the one that HCL calls so, or one a slip of the finger away.
func suggestion(key string, fields []field) string {
	for _, f := range fields {
		if plain(f.key) == plain(key) {
			return didYouMean(f)
		}
	}
	for _, f := range fields {
		if f.hcl == key {
			return didYouMean(f)
		}
	}
	// Two slips are plausible in a long name, one in a short one.
	best, nearest := field{}, min(2, (len(key)+1)/4)+1
	for _, f := range fields {
		if d := distance(plain(f.key), plain(key)); d < nearest {
			best, nearest = f, d
		}
	}
	if best.key == "" {
		return ""
	}
	return didYouMean(best)
}

func didYouMean(f field) string { return fmt.Sprintf(" (did you mean %s?)", f.key) }

// distance is the number of letters to insert, delete or replace between two words (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
