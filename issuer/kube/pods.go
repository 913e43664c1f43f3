package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Memory of pods that are gone. A UID never lives twice, so that what is
// remembered stays true; it saves the API server a question for each request of a
// client that has not noticed yet.
const (
	maxGonePods = 16384
	gonePodTTL  = time.Hour
)

// podUID is a UID in a third of the bytes of its text.
type podUID [16]byte

func podUIDOf(uid types.UID) (k podUID) {
	if n, err := hex.Decode(k[:], []byte(strings.ReplaceAll(string(uid), "-", ""))); len(uid) == 36 && err == nil && n == len(k) {
		return k
	}
	// The API server makes UUIDs; a longer text must not be cut short.
	sum := sha256.Sum256([]byte(uid))
	copy(k[:], sum[:])
	return k
}

// pods is the sink of pods that have neither Succeeded nor Failed: their UIDs, when each
// ends, and its mark, in 24 bytes and what the map adds.
type pods struct {
	now  func() time.Time
	gone *recent[podUID]

	mu     sync.RWMutex
	living map[podUID]livingPod
}

// livingPod is what is known of a pod, in eight bytes.
type livingPod struct {
	ends uint32 // deletionTimestamp in Unix seconds, until 2106; 0: not being deleted
	mark clientauth.Mark
}

func livingPodOf(o object) livingPod {
	p := livingPod{mark: clientauth.MarkOf(o.GetLabels()[v1alpha1.LabelAdmitted])}
	if at := o.GetDeletionTimestamp(); at != nil {
		p.ends = uint32(min(max(1, at.Unix()), math.MaxUint32))
	}
	return p
}

func newPods(now func() time.Time) *pods {
	return &pods{now: now, gone: newRecent[podUID](maxGonePods, gonePodTTL), living: map[podUID]livingPod{}}
}

// find says whether a pod lives, and what is known of it. Neither living nor gone: not
// known here.
func (p *pods) find(uid types.UID) (pod clientauth.Pod, living, gone bool) {
	k := podUIDOf(uid)
	p.mu.RLock()
	known, ok := p.living[k]
	p.mu.RUnlock()
	if !ok {
		return clientauth.Pod{}, false, p.gone.has(k, p.now())
	}
	pod.Mark = known.mark
	if known.ends != 0 {
		pod.DeletionTimestamp = time.Unix(int64(known.ends), 0)
	}
	return pod, true, false
}

func (p *pods) put(o object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.living[podUIDOf(o.GetUID())] = livingPodOf(o)
}

// drop hears of pods that were deleted, and of those that have Succeeded or Failed.
func (p *pods) drop(o object) { p.bury(podUIDOf(o.GetUID())) }

func (p *pods) bury(k podUID) {
	p.gone.add(k, p.now())
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.living, k)
}

func (p *pods) replace(all []object) {
	next := make(map[podUID]livingPod, len(all))
	for _, o := range all {
		next[podUIDOf(o.GetUID())] = livingPodOf(o)
	}
	p.mu.Lock()
	old := p.living
	p.living = next
	p.mu.Unlock()
	for k := range old {
		if _, ok := next[k]; !ok {
			p.gone.add(k, p.now())
		}
	}
}

// accounts is the sink of service accounts: the UID of each name.
type accounts struct {
	now  func() time.Time
	gone *recent[types.UID]

	mu   sync.RWMutex
	uids map[types.NamespacedName]types.UID
}

func newAccounts(now func() time.Time) *accounts {
	return &accounts{
		now:  now,
		gone: newRecent[types.UID](maxGoneAccounts, goneAccountTTL),
		uids: map[types.NamespacedName]types.UID{},
	}
}

// Memory of service accounts that are gone. A name may live again, a UID never.
const (
	maxGoneAccounts = 4096
	goneAccountTTL  = time.Hour
)

// find says whether the service account of that name and UID lives. Neither living
// nor gone: not known here.
func (a *accounts) find(k types.NamespacedName, uid types.UID) (living, gone bool) {
	a.mu.RLock()
	known, ok := a.uids[k]
	a.mu.RUnlock()
	if ok && known == uid {
		return true, false
	}
	return false, a.gone.has(uid, a.now())
}

// put takes a deleted one that a finalizer holds as gone: its tokens end with it.
func (a *accounts) put(o object) {
	if rules.Gone(o) {
		a.drop(o)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uids[nameOf(o)] = o.GetUID()
}

func (a *accounts) drop(o object) {
	a.gone.add(o.GetUID(), a.now())
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.uids, nameOf(o))
}

func (a *accounts) replace(all []object) {
	next := make(map[types.NamespacedName]types.UID, len(all))
	for _, o := range all {
		if rules.Gone(o) {
			a.gone.add(o.GetUID(), a.now())
			continue
		}
		next[nameOf(o)] = o.GetUID()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uids = next
}
