// Package tokenrevocation removes TokenRevocations whose tokens have all ended by
// themselves: from then on they only take room, in every issuer's memory too.
//
// It looks at Lanyard's own namespace and writes nothing but these deletions.
package tokenrevocation
