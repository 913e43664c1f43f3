package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// version of the form that Marshal writes and Parse reads.
const version = 1

type ringWire struct {
	Version int       `json:"version"`
	Keys    []keyWire `json:"keys"`
}

type keyWire struct {
	ID         string    `json:"kid"`
	Algorithm  Algorithm `json:"alg"`
	PKCS8      []byte    `json:"pkcs8"`
	CreatedAt  time.Time `json:"createdAt"`
	SignsFrom  time.Time `json:"signsFrom"`
	SignsUntil time.Time `json:"signsUntil,omitzero"`
	RemoveAt   time.Time `json:"removeAt,omitzero"`
}

// Marshal writes the ring, private keys included: the result belongs in the Secret
// and nowhere else.
func (r Ring) Marshal() ([]byte, error) {
	w := ringWire{Version: version, Keys: make([]keyWire, 0, len(r.Keys))}
	for _, k := range r.Keys {
		w.Keys = append(w.Keys, k.wire())
	}
	data, err := json.Marshal(w)
	if err != nil {
		return nil, errors.New("keyring: a time of a key cannot be written") // the only thing that can fail
	}
	return data, nil
}

func (k Key) wire() keyWire {
	return keyWire{k.ID, k.Algorithm, k.PrivateKeyPKCS8, k.CreatedAt.UTC(), k.SignsFrom.UTC(), k.SignsUntil.UTC(), k.RemoveAt.UTC()}
}

// Parse reads what Marshal wrote, and nothing else: an unknown version, an unknown
// field, a key that cannot sign, or keys that do not follow one another are errors.
// No error quotes what was read.
func Parse(data []byte) (Ring, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Ring{}, errors.New("keyring: not a JSON object with a version")
	}
	if head.Version != version {
		return Ring{}, fmt.Errorf("keyring: version %d is not known to this Lanyard, which knows version %d", head.Version, version)
	}
	var w ringWire
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		// The cause may quote a value.
		return Ring{}, fmt.Errorf("keyring: not the fields of version %d", version)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Ring{}, errors.New("keyring: data after the end")
	}
	r := Ring{}
	for _, k := range w.Keys {
		r.Keys = append(r.Keys, Key{k.ID, k.Algorithm, k.PKCS8, k.CreatedAt.UTC(), k.SignsFrom.UTC(), k.SignsUntil.UTC(), k.RemoveAt.UTC()})
	}
	if err := r.check(); err != nil {
		return Ring{}, fmt.Errorf("keyring: %w", err)
	}
	return r, nil
}

// check says what is wrong with a ring, by the number of the key, beginning at 1.
func (r Ring) check() error {
	for i, k := range r.Keys {
		if k.ID == "" || slices.ContainsFunc(r.Keys[:i], func(other Key) bool { return other.ID == k.ID }) {
			return fmt.Errorf("key %d has no kid of its own", i+1)
		}
		if !slices.Contains(Algorithms(), k.Algorithm) {
			return fmt.Errorf("key %d has an algorithm that is not known; there are %v", i+1, Algorithms())
		}
		if _, err := k.Signer(); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		if k.SignsFrom.IsZero() || k.CreatedAt.IsZero() {
			return fmt.Errorf("key %d lacks signsFrom or createdAt", i+1)
		}
		if i == len(r.Keys)-1 {
			if !k.SignsUntil.IsZero() || !k.RemoveAt.IsZero() {
				return fmt.Errorf("key %d is the last one and must have no end", i+1)
			}
			continue
		}
		next := r.Keys[i+1]
		if !k.SignsFrom.Before(next.SignsFrom) || !k.SignsUntil.Equal(next.SignsFrom) || k.RemoveAt.Before(k.SignsUntil) {
			return fmt.Errorf("key %d does not sign until the next one does", i+1)
		}
	}
	return nil
}
