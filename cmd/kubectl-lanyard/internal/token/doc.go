// Package token is `kubectl lanyard token`: an access token for a person who may create
// tokens for a client's service account, got in the way in which the client's own pods
// get theirs. It grants nothing: what the person may not do with kubectl create token,
// they may not do here.
//
// The access token goes to standard output, and nowhere else. The service account's
// token, the certificate's key and the access token never reach a file, a log, standard
// error or an error.
package token
