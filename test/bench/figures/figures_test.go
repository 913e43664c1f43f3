package figures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMergeKeepsWhatOtherBenchesWrote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	for _, rows := range [][]Row{
		{{Name: "a", Value: 1}, {Name: "b", Value: 2}}, // there is no file yet
		{{Name: "b", Value: 3}, {Name: "c", Value: 4}},
	} {
		if err := Merge(path, rows); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(data)), "")
	for _, want := range []string{`"name":"a","value":1`, `"name":"b","value":3`, `"name":"c","value":4`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s does not hold %s", got, want)
		}
	}
	if strings.Count(got, `"b"`) != 1 {
		t.Errorf("%s holds b twice", got)
	}
}

func TestGoalOfADifference(t *testing.T) {
	for name, tt := range map[string]struct {
		value float64
		says  string
	}{
		"as much more as it may be": {7, ""},
		"more than that":            {8, "a: 6.00 ms more than the floor; the goal is at most 5.00 more"},
	} {
		t.Run(name, func(t *testing.T) {
			rows := []Row{{Name: "a", Unit: "ms", Value: tt.value, Floor: 2, Within: 5}}
			var table strings.Builder
			WriteTable(&table, rows)
			err := Missed(rows)
			switch {
			case tt.says == "" && (err != nil || !strings.Contains(table.String(), "ok")):
				t.Errorf("%v\n%s", err, table.String())
			case tt.says != "" && (err == nil || err.Error() != tt.says || !strings.Contains(table.String(), "missed")):
				t.Errorf("%v; want %q\n%s", err, tt.says, table.String())
			}
		})
	}
}
