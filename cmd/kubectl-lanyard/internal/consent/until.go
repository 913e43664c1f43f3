package consent

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// until is the end of an approval, as a person says it. The zero value: nothing was said.
type until struct {
	said bool
	at   time.Time // zero: never
}

const (
	// maxUntil is the last moment that the kind can hold.
	maxUntil = "2999-12-31T23:59:59Z"
	untilHow = "write a duration like 90d or 12h, a day like 2027-01-01, a moment like 2027-01-01T18:00:00+01:00, or never"
)

// parseUntil reads the value of --expires: a duration from now (12h, 90d), the
// beginning of a day in UTC, a moment as in RFC 3339, or "never". What has passed is
// refused, as it would approve nothing.
func parseUntil(text string, now time.Time) (until, error) {
	if text == "never" {
		return until{said: true}, nil
	}
	at, ok := moment(text, now)
	if !ok {
		return until{}, fmt.Errorf("--expires %q cannot be read; %s", text, untilHow)
	}
	at = at.UTC().Truncate(time.Second)
	last, err := time.Parse(time.RFC3339, maxUntil)
	if err != nil {
		return until{}, err
	}
	if !at.After(now) {
		return until{}, fmt.Errorf("--expires %q has passed; %s", text, untilHow)
	}
	if at.After(last) {
		return until{}, fmt.Errorf("--expires %q is later than %s; write never for an approval without end", text, maxUntil)
	}
	return until{said: true, at: at}, nil
}

func moment(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		const most = 1000 * 366
		n, err := strconv.ParseUint(days, 10, 32)
		return now.AddDate(0, 0, int(min(n, most))), err == nil
	}
	d, err := time.ParseDuration(text)
	return now.Add(d), err == nil
}
