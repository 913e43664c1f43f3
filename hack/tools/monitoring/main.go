// Command check-monitoring reads manifests on its input, and judges those of the Prometheus
// operator's kinds as the operator and Prometheus would: fields against the operator's own
// types, and alerts with Prometheus' own parser. The API server of the local control plane does
// not know these kinds.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "check-monitoring:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var seen, failed []string
	for text := range strings.SplitSeq(string(data), "\n---\n") {
		name, err := judge([]byte(text))
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", name, err))
		} else if name != "" {
			seen = append(seen, name)
		}
	}
	switch {
	case len(failed) > 0:
		return errors.New(strings.Join(failed, "\n"))
	case len(seen) == 0:
		return errors.New("no object of the Prometheus operator's kinds came in")
	}
	_, err = fmt.Fprintln(out, "good:", strings.Join(seen, ", "))
	return err
}

// judge judges one object. Of other kinds it says nothing.
func judge(text []byte) (name string, err error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return "a manifest", err
	}
	if head.APIVersion != "monitoring.coreos.com/v1" {
		return "", nil
	}
	name = head.Kind + "/" + head.Metadata.Name
	switch head.Kind {
	case monitoring.ServiceMonitorsKind:
		return name, yaml.UnmarshalStrict(text, &monitoring.ServiceMonitor{})
	case monitoring.PodMonitorsKind:
		return name, yaml.UnmarshalStrict(text, &monitoring.PodMonitor{})
	case monitoring.PrometheusRuleKind:
		var rule monitoring.PrometheusRule
		if err := yaml.UnmarshalStrict(text, &rule); err != nil {
			return name, err
		}
		return name, judgeRules(rule.Spec)
	}
	return name, errors.New("the kind is not known here: add it to hack/tools/monitoring")
}

func judgeRules(spec monitoring.PrometheusRuleSpec) error {
	text, err := yaml.Marshal(spec)
	if err != nil {
		return err
	}
	_, errs := rulefmt.Parse(text, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	return errors.Join(errs...)
}
