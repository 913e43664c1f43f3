// Package files keeps the pod's tokens as files, for programs that read those:
//
//	tokens/<name>                          the token
//	bound/<name>/{token,tls.crt,tls.key}   with the certificate that it is bound to
//
// A file of tokens/ is replaced at once, by renaming. bound/<name> is a link to a
// directory that never changes: when token or certificate do, the link is switched to
// another one, and the last one stays for who has just followed the link.
//
// Whatever else may write into the volume plants links and folders in vain: everything
// of an earlier time is removed at the start, files are made anew and never opened, and
// the folders are held open, so that a link in their place leads nobody astray.
package files
