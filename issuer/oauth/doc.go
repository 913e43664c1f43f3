// Package oauth holds the words of OAuth 2.0 that Lanyard speaks: error codes,
// grant types, client authentication methods, token types, and the error value
// that every refusal is.
//
// It is the lowest floor: it imports the standard library only, and knows
// neither HTTP nor Kubernetes. The status code of an error is decided by
// issuer/httpapi, in one table.
package oauth
