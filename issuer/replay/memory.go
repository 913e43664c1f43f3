package replay

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Outcome says whether an id may be used.
type Outcome int

// The outcomes. The zero Outcome is none of them.
const (
	// Fresh: the id was not used before, and is remembered now.
	Fresh Outcome = iota + 1
	// Replayed: the id was used before, or has ended, so that nobody knows.
	Replayed
	// Full: there is no room for it, in the memory or in the client's quota.
	Full
)

// sweep is how many entries that have ended one call forgets at most while there
// is room: more than it adds, so that the memory shrinks, and few enough that no
// call pays for all the others.
const sweep = 4

// tenantShare is the part of the memory that one tenant may fill, however many clients
// it makes: a quarter.
const tenantShare = 4

// Owner is whose an id is. The quota is for each client, and a tenant has at most a
// quarter of the memory for all of its clients.
type Owner struct {
	// Tenant is the client's namespace; empty: the client stands alone.
	Tenant string
	// Client is its client id.
	Client string
}

// Memory remembers ids until they end. It is safe for use by several goroutines.
// A nil or zero Memory has no room.
type Memory struct {
	room, quota, tenantQuota int

	mu sync.Mutex
	// used has the ids of entries. Neither holds a pointer: what is remembered
	// costs the garbage collector nothing.
	used map[digest]struct{}
	// entries is a heap: the first is the one that ends first.
	entries []entry
	// clients and tenants are those that have any entries.
	clients map[digest]share
	tenants map[digest]int
	// forgotten is the latest end of all entries that were forgotten. Callers that
	// look at the clock at once may arrive in another order: what ends at or before
	// it may have been forgotten by a call that was a moment ahead.
	forgotten int64
}

// digest is half a SHA-256: a fixed length for whatever a stranger writes, and too
// long to find a second text for.
type digest [16]byte

// share is how many entries a client has, and of which tenant it is.
type share struct {
	n      int
	tenant digest
}

type entry struct {
	ends       int64 // nanoseconds since 1970
	id, client digest
}

// New returns a Memory of at most room ids, and at most quota for each client. An
// id that is remembered takes about 100 bytes.
func New(room, quota int) *Memory {
	return &Memory{
		room: room, quota: quota, tenantQuota: max(quota, room/tenantShare),
		used: map[digest]struct{}{}, clients: map[digest]share{}, tenants: map[digest]int{},
	}
}

// Use uses an id of of.Client. Of any number of calls with the same client and id,
// at once or one after the other, one is Fresh until ends has passed. ends is when
// the id is refused for its age alone: for an assertion its exp and the leeway that
// is given to exp.
func (m *Memory) Use(of Owner, id string, ends, now time.Time) Outcome {
	if m == nil {
		return Full
	}
	e := entry{ends: ends.UnixNano(), id: digestOf(of.Client, id), client: digestOf(of.Client)}
	tenant := digestOf(cmp.Or(of.Tenant, of.Client))
	at := now.UnixNano()

	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(at, sweep)
	outcome := m.judge(e, tenant, at)
	if outcome != Fresh {
		// What stands in the way may have ended.
		m.forget(at, len(m.entries))
		outcome = m.judge(e, tenant, at)
	}
	if outcome != Fresh {
		return outcome
	}
	m.used[e.id] = struct{}{}
	mine, ok := m.clients[e.client]
	if !ok {
		mine.tenant = tenant
	}
	mine.n++
	m.clients[e.client] = mine
	m.tenants[mine.tenant]++
	m.push(e)
	return Fresh
}

// Len is how many ids are remembered, those included that have ended and were not
// forgotten yet.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

func (m *Memory) judge(e entry, tenant digest, at int64) Outcome {
	if _, used := m.used[e.id]; used || e.ends <= at || e.ends <= m.forgotten {
		return Replayed
	}
	if len(m.entries) >= m.room || m.clients[e.client].n >= m.quota || m.tenants[tenant] >= m.tenantQuota {
		return Full
	}
	return Fresh
}

// forget forgets at most n of the entries that have ended.
func (m *Memory) forget(at int64, n int) {
	for ; n > 0 && len(m.entries) > 0 && m.entries[0].ends <= at; n-- {
		e := m.pop()
		delete(m.used, e.id)
		m.giveBack(e.client)
		m.forgotten = max(m.forgotten, e.ends)
	}
}

// giveBack counts one entry of the client less.
func (m *Memory) giveBack(client digest) {
	its := m.clients[client]
	if its.n--; its.n == 0 {
		delete(m.clients, client)
	} else {
		m.clients[client] = its
	}
	if m.tenants[its.tenant]--; m.tenants[its.tenant] == 0 {
		delete(m.tenants, its.tenant)
	}
}

// push and pop keep the heap. container/heap would allocate for each entry.
func (m *Memory) push(e entry) {
	m.entries = append(m.entries, e)
	h := m.entries
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].ends <= e.ends {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

func (m *Memory) pop() entry {
	h := m.entries
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	m.entries = h
	if len(h) == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].ends < h[child].ends {
			child = right
		}
		if last.ends <= h[child].ends {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
	return first
}

// digestOf hashes texts with their lengths, so that ("a", "bc") and ("ab", "c") are
// two things.
func digestOf(texts ...string) digest {
	buffer := make([]byte, 0, 256)
	for _, t := range texts {
		buffer = binary.BigEndian.AppendUint64(buffer, uint64(len(t)))
		buffer = append(buffer, t...)
	}
	sum := sha256.Sum256(buffer)
	return digest(sum[:len(digest{})])
}
