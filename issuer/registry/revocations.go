package registry

import (
	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// ApplyRevocation adds the tokens that t revokes.
func (r *Registry) ApplyRevocation(t *v1alpha1.TokenRevocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := keyOf(t)
	old, had := r.revocations[k]
	r.count("TokenRevocation", had)
	r.revocations[k] = t
	r.countTokens(t, 1) // before the old ones go: what stays revoked is so at each moment
	if had {
		r.countTokens(old, -1)
	}
}

// DeleteRevocation forgets what the TokenRevocation of that name revoked.
func (r *Registry) DeleteRevocation(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := Key{namespace, name}
	if old, ok := r.revocations[k]; ok {
		r.sizes["TokenRevocation"]--
		delete(r.revocations, k)
		r.countTokens(old, -1)
	}
}

// countTokens counts what t revokes. Two objects may revoke the same token, so that it
// stays revoked until the last of them is gone.
func (r *Registry) countTokens(t *v1alpha1.TokenRevocation, n int) {
	for _, token := range t.Spec.Tokens {
		addTo(&r.revoked, token.JTI, n)
		addTo(&r.revokedBy, token.ClientID, n)
	}
}

func addTo(t *table[string, int], k string, n int) {
	before, _ := t.get(k)
	if before+n <= 0 {
		t.del(k)
		return
	}
	t.set(k, before+n)
}

// Revoked says whether the token with that jti was revoked.
func (r *Registry) Revoked(jti string) bool {
	_, ok := r.revoked.get(jti)
	return ok
}

// RevokedBy returns how many revoked tokens of the client are kept; one that two
// objects hold counts twice.
func (r *Registry) RevokedBy(clientID string) int {
	n, _ := r.revokedBy.get(clientID)
	return n
}
