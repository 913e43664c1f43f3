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
	for _, token := range t.Spec.Tokens {
		r.revoked.set(token.JTI, struct{}{})
		r.countRevoked(token.ClientID, 1)
	}
	if had {
		r.forgetTokens(old, t)
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
		r.forgetTokens(old, nil)
	}
}

// forgetTokens takes back what old added; what now, in its place, revokes as well
// stays revoked.
func (r *Registry) forgetTokens(old, now *v1alpha1.TokenRevocation) {
	kept := map[string]bool{}
	if now != nil {
		for _, token := range now.Spec.Tokens {
			kept[token.JTI] = true
		}
	}
	for _, token := range old.Spec.Tokens {
		if !kept[token.JTI] {
			r.revoked.del(token.JTI)
		}
		r.countRevoked(token.ClientID, -1)
	}
}

func (r *Registry) countRevoked(clientID string, n int) {
	before, _ := r.revokedBy.get(clientID)
	if before+n <= 0 {
		r.revokedBy.del(clientID)
		return
	}
	r.revokedBy.set(clientID, before+n)
}

// Revoked says whether the token with that jti was revoked.
func (r *Registry) Revoked(jti string) bool {
	_, ok := r.revoked.get(jti)
	return ok
}

// RevokedBy returns how many revoked tokens of the client are kept.
func (r *Registry) RevokedBy(clientID string) int {
	n, _ := r.revokedBy.get(clientID)
	return n
}
