// Package app is an app as a team would write it that calls an API behind Lanyard: it knows
// nothing of Kubernetes, OAuth or Lanyard but an upstream port, or a directory with a token and a
// certificate. It calls at a steady rate, counts what came of it, and makes single calls when it
// is asked to over HTTP. The tests of `make e2e` and `make soak` run it in pods; command caller is
// its main.
package app
