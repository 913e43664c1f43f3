// Package webhook answers the API server's admission reviews of Lanyard's kinds, on
// every replica of the controller, leader or not. It does what needs a clock or other
// objects; what one object is enough for stands in the schema and in the policies of
// config/policies, which hold without it.
//
//   - who-decided writes decidedBy and decidedAt of an AppRoleAssignment;
//   - declarations refuses early what could never work: a name that the namespace may
//     not have, or that another object holds;
//   - warnings says who loses access, before it happens. It refuses nothing.
//
// No decision about a token rests on it: issuer and controllers judge every object by
// the same rules, whether or not it came past here. It writes nothing to the cluster.
package webhook
