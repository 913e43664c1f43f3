// Package replay remembers which ids were used, so that what must be used once is
// used once: the jti of a client's assertion (RFC 7523 section 3) and of a DPoP
// proof (RFC 9449 section 11.1).
//
// The memory is bounded. When it is full it refuses: forgetting what still lives
// would let whoever can fill it use an old id again. A quota for each client keeps
// one from filling it for all.
//
// It is the memory of one process: replicas do not see each other's. The package
// imports the standard library only, and takes the time from its caller.
package replay
