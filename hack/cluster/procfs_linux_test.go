package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const sleeping = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 4 0 4711 20 21\n"

func TestParseStat(t *testing.T) {
	for name, test := range map[string]struct {
		stat string
		want procStat
		dead bool
	}{
		"an ordinary process lives": {
			"7 (etcd) " + sleeping, procStat{'S', 4, 4711}, false,
		},
		"a name with spaces and parentheses shifts nothing": {
			"7 (a) S 1 (b c) " + sleeping, procStat{'S', 4, 4711}, false,
		},
		"a zombie whose last thread has ended is dead": {
			"7 (etcd) " + strings.NewReplacer("S 1 ", "Z 1 ", " 16 4 ", " 16 1 ").Replace(sleeping), procStat{'Z', 1, 4711}, true,
		},
		"a zombie with threads that still end holds its ports": {
			"7 (etcd) " + strings.Replace(sleeping, "S 1 ", "Z 1 ", 1), procStat{'Z', 4, 4711}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(test.stat))
			if err != nil || got != test.want || got.dead() != test.dead {
				t.Errorf("parseStat = %+v, dead %t, %v; want %+v, dead %t", got, got.dead(), err, test.want, test.dead)
			}
		})
	}
}

func TestLookUpFindsThisProcess(t *testing.T) {
	first, err := lookUp(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	second, err := lookUp(os.Getpid())
	if err != nil || first != second || first.dead || first.instance.StartTime == 0 || first.instance.BootID == "" {
		t.Errorf("lookUp = %+v, then %+v, %v", first, second, err)
	}
}

// Whatever a program calls itself, it cannot make us read another start time.
func FuzzParseStat(f *testing.F) {
	f.Add("etcd", byte('S'), uint16(4), uint64(4711))
	f.Add("a) Z 1 (", byte('R'), uint16(1), uint64(0))
	f.Add("", byte('Z'), uint16(0), uint64(1<<63))
	f.Fuzz(func(t *testing.T, name string, state byte, threads uint16, startTime uint64) {
		if state <= ' ' || state > '~' || state == ')' {
			return // the kernel's states are letters
		}
		want := procStat{state, int(threads), startTime}
		stat := fmt.Sprintf("7 (%s) %c 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 %d 0 %d 20 21", name, state, threads, startTime)
		if got, err := parseStat([]byte(stat)); got != want || err != nil {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v", stat, got, err, want)
		}
		_, _ = parseStat([]byte(name)) // does not panic
	})
}
