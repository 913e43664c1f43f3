package image

import "strings"

// library is where engines look for an image whose name says no registry. Such a name is
// written out in archives; nothing is pulled from there.
const library = "docker.io" + "/" + "library"

// qualified writes a name as container engines keep it: with a registry and a tag.
func qualified(name string) string {
	repository, tag, tagged := cutTag(name)
	if !tagged {
		tag = "latest"
	}
	host, _, slashed := strings.Cut(repository, "/")
	switch {
	case !slashed:
		repository = library + "/" + repository
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		repository = strings.TrimSuffix(library, "/library") + "/" + repository
	}
	return repository + ":" + tag
}

// cutTag splits at the colon of the tag: one before a slash is that of a port.
func cutTag(name string) (repository, tag string, tagged bool) {
	colon := strings.LastIndex(name, ":")
	if colon < 0 || strings.Contains(name[colon:], "/") {
		return name, "", false
	}
	return name[:colon], name[colon+1:], true
}
