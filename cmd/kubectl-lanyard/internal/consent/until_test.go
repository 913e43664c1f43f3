package consent

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestParseUntil(t *testing.T) {
	tests := map[string]struct{ text, want, says string }{
		"days count from now":                    {"90d", "2026-07-30T12:00:00Z", ""},
		"hours do":                               {"12h", "2026-05-02T00:00:00Z", ""},
		"and hours with minutes":                 {"1h30m", "2026-05-01T13:30:00Z", ""},
		"a day begins at midnight, UTC":          {"2027-01-01", "2027-01-01T00:00:00Z", ""},
		"a moment may have a zone":               {"2027-01-01T18:00:00+01:00", "2027-01-01T17:00:00Z", ""},
		"fractions of a second are dropped":      {"2027-01-01T18:00:00.9Z", "2027-01-01T18:00:00Z", ""},
		"never takes the end away":               {"never", "never", ""},
		"what has passed approves nothing":       {"2026-05-01", "", "has passed"},
		"now has passed":                         {"0s", "", "has passed"},
		"a negative duration has passed":         {"-1h", "", "has passed"},
		"a word is told what to write":           {"soon", "", "write a duration like 90d or 12h, a day like 2027-01-01"},
		"nothing is told what to write":          {"", "", "cannot be read"},
		"days are whole":                         {"1.5d", "", "cannot be read"},
		"weeks are not known":                    {"2w", "", "cannot be read"},
		"a year that the kind cannot hold":       {"3000-01-01", "", "later than 2999-12-31T23:59:59Z"},
		"days beyond what the kind can hold":     {"999999999d", "", "later than"},
		"more days than a number can hold":       {"99999999999999999999d", "", "cannot be read"},
		"a day that the month does not have":     {"2027-02-30", "", "cannot be read"},
		"the time of day needs its zone":         {"2027-01-01T18:00:00", "", "cannot be read"},
		"a duration beyond what Go's may be":     {"9999999999h", "", "cannot be read"},
		"a day in the order of other continents": {"01.02.2027", "", "cannot be read"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, err := parseUntil(test.text, noon)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Fatalf("parseUntil(%q) = %v, %v; want an error that says %q", test.text, got, err, test.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text := "never"
			if !got.at.IsZero() {
				text = got.at.Format(time.RFC3339Nano)
			}
			if !got.said || text != test.want {
				t.Errorf("parseUntil(%q) = %s, said %t; want %s", test.text, text, got.said, test.want)
			}
		})
	}
}

// Whatever is read lies ahead, in whole seconds that the kind can hold.
func FuzzParseUntil(f *testing.F) {
	for _, seed := range []string{"90d", "12h", "2027-01-01", "2027-01-01T18:00:00+01:00", "never", "", "d", "-1d", "9223372036s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseUntil(text, noon)
		if err != nil {
			if got.said {
				t.Errorf("parseUntil(%q) refuses, and says %v", text, got)
			}
			return
		}
		if got.at.IsZero() != (text == "never") {
			t.Errorf("parseUntil(%q) = %v", text, got)
		}
		if !got.at.IsZero() && (!got.at.After(noon) || got.at.Nanosecond() != 0 || got.at.Year() > 2999) {
			t.Errorf("parseUntil(%q) = %s", text, got.at)
		}
	})
}
