package program

import (
	"runtime/debug"
	"strings"
)

// Version is what the Go toolchain wrote into the binary: the module's version, the
// commit and the Go release.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	revision := "(no revision)"
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = setting.Value
		}
	}
	return strings.Join([]string{info.Main.Version, revision, info.GoVersion}, " ")
}
