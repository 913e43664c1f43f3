package main

import (
	"fmt"
	"os"
	"strings"
)

const (
	readmeFile    = "charts/lanyard/README.md"
	referenceFile = "docs/reference/helm-values.md"
)

const readmeHead = `# lanyard

OAuth 2.0 access tokens for every workload of a Kubernetes cluster, bound to a certificate that the workload holds: controller,
issuer, admission, and the sidecar's injection.

` + "```" + `
helm install lanyard charts/lanyard --namespace lanyard-system --create-namespace --set image.repository=<registry>/lanyard
helm test lanyard --namespace lanyard-system
` + "```" + `

Needs Kubernetes 1.33 or newer, and cert-manager 1.18 or newer with its CA injector. Works with Helm 4 and Helm 3. One
installation in a cluster: names are fixed.

How to install, upgrade and uninstall, and what stays: [docs/install.md](../../docs/install.md).

## Values
`

const referenceHead = `# Values of the Helm chart

What ` + "`charts/lanyard`" + ` can be told. How to install it: [install](../install.md). A value that is not here is refused, so that one that
is spelled wrongly is noticed.
`

const foot = `
Written by ` + "`make generate`" + ` from ` + "`charts/lanyard/values.yaml`" + `.
`

// writeReferences writes the schema of the values, and the pages about them.
func writeReferences() error {
	values, err := readValues()
	if err != nil {
		return err
	}
	if err := writeSchema(values); err != nil {
		return err
	}
	table, err := tableOf(values)
	if err != nil {
		return err
	}
	for file, head := range map[string]string{readmeFile: readmeHead, referenceFile: referenceHead} {
		if err := os.WriteFile(file, []byte(head+table+foot), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tableOf lists the values.
func tableOf(values []value) (string, error) {
	var out strings.Builder
	fmt.Fprint(&out, "\n| value | default | what |\n| --- | --- | --- |\n")
	for _, v := range values {
		standard, err := v.standard()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| `%s` | `%s` | %s |\n", v.name(), standard, strings.ReplaceAll(v.doc, "|", `\|`))
	}
	return out.String(), nil
}
