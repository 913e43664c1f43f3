package main

// variants are values that touch every switch.
var variants = map[string][]string{
	"by default": nil,
	"with everything on": {
		"clientSecrets.enabled=true", "monitoring.serviceMonitor.enabled=true", "monitoring.prometheusRule.enabled=true",
		"monitoring.dashboard.enabled=true", "networkPolicy.apiServerCIDRs={10.0.0.1/32}", "commonLabels.team=platform",
	},
}
