package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	for name, c := range map[string]struct {
		live uint64
		want int
	}{
		"nothing is known yet":                 {0, 400},
		"a small heap is collected seldom":     {4 << 20, 400},
		"12 MiB may be trebled":                {12 << 20, 200},
		"a large heap is collected as always":  {24 << 20, 100},
		"a huge one, too":                      {8 << 30, 100},
		"more than anybody has does no damage": {1 << 63, 100},
	} {
		t.Run(name, func(t *testing.T) {
			if got := garbagePercent(c.live); got != c.want {
				t.Errorf("got %d", got)
			}
		})
	}
}
