// Package oauthclient writes the status of OAuthClients: whether the client works,
// what its client id is, and how each role that it asks for stands.
//
// Every verdict is issuer/rules'. The package reads the manager's cache and writes
// nothing but the status.
package oauthclient
