package caroots_test

import (
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// What the controller itself has just made is not in its cache at once, and no conflict to it:
// written without a look at what is there, it would lose the root that pods still verify with.
func TestKeepsTheOldRootWhileTheWatchIsBehind(t *testing.T) {
	old, current := newRoot(t, "old", 23*time.Hour, 24*time.Hour), newRoot(t, "current", time.Hour, 48*time.Hour)
	w := prepared(t)
	behind, hold := testenv.Behind(t, controller(t), "configmaps")
	w.run(behind)
	w.theirs(env.Namespace(t, nil, nil).Name) // until the cache is filled
	hold()
	ns := env.Namespace(t, nil, nil).Name
	w.client(ns, "checkout")
	w.write(old)
	w.holds(own, old)
	w.holds(ns, old)
	w.write(current)
	w.holds(own, old, current)
	w.holds(ns, old, current)
}
