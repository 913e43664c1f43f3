// Package endpoint hands the pod's tokens to the containers beside it, on loopback:
// GET /token with the header Metadata: true, and POST /oauth2/token, which is a token
// endpoint of RFC 6749 without credentials, for OAuth libraries.
//
// Loopback is shared by all containers of a pod, and by nobody else. What can reach it
// from outside is a program in the pod that is made to send requests for somebody: a
// browser, a web hook, a proxy. Those do not choose their Host, Origin, or headers of
// their own, or say that they forward; so each of these is judged before anything else.
package endpoint
