package jose

import "bytes"

// fewMembers is how many members an object has before looking for a repeated
// name takes a map.
const fewMembers = 16

// nameSet finds a repeated name among the members of one object.
type nameSet struct {
	few  [fewMembers][]byte
	many map[string]struct{}
	n    int
}

// add reports whether name is new.
func (s *nameSet) add(name []byte) bool {
	if s.n < len(s.few) {
		for _, other := range s.few[:s.n] {
			if bytes.Equal(other, name) {
				return false
			}
		}
		s.few[s.n] = name
		s.n++
		return true
	}
	if s.many == nil {
		s.many = make(map[string]struct{}, 2*len(s.few))
		for _, other := range s.few {
			s.many[string(other)] = struct{}{}
		}
	}
	if _, twice := s.many[string(name)]; twice {
		return false
	}
	s.many[string(name)] = struct{}{}
	s.n++
	return true
}
