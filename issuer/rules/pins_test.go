package rules_test

import (
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestLive(t *testing.T) {
	pin := func(notBefore, notAfter time.Time, retires *time.Time) v1alpha1.Pin {
		p := v1alpha1.Pin{Thumbprint: "x", NotBefore: *at(notBefore), NotAfter: *at(notAfter)}
		if retires != nil {
			p.RetiresAt = at(*retires)
		}
		return p
	}
	after := func(d time.Duration) *time.Time { t := noon.Add(d); return &t }
	tests := map[string]struct {
		pin      v1alpha1.Pin
		distrust []v1alpha1.Thumbprint
		want     bool
	}{
		"a valid certificate lives":                         {pin: pin(born, noon.Add(1), nil), want: true},
		"it ends at its notAfter":                           {pin: pin(born, noon, nil)},
		"a certificate that begins within the leeway lives": {pin: pin(noon.Add(30*time.Second), noon.Add(time.Hour), nil), want: true},
		"one that begins later does not":                    {pin: pin(noon.Add(31*time.Second), noon.Add(time.Hour), nil)},
		"a replaced one lives until it retires":             {pin: pin(born, noon.Add(time.Hour), after(1)), want: true},
		"and ends then":                                     {pin: pin(born, noon.Add(time.Hour), after(0))},
		"retiring later does not outlive notAfter":          {pin: pin(born, noon, after(time.Hour))},
		"a distrusted one is dead at once":                  {pin: pin(born, noon.Add(time.Hour), nil), distrust: []v1alpha1.Thumbprint{"y", "x"}},
		"distrust of another does not matter":               {pin: pin(born, noon.Add(time.Hour), nil), distrust: []v1alpha1.Thumbprint{"y"}, want: true},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if got := rules.Live(&test.pin, test.distrust, noon); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestLivePin(t *testing.T) {
	another := func(cc *v1alpha1.ClientCertificate) { cc.Name = "another" }
	long := func(cc *v1alpha1.ClientCertificate) { cc.Status.Pins[0].NotAfter = *at(noon.Add(5 * time.Hour)) }
	distrusting := func(cc *v1alpha1.ClientCertificate) { cc.Spec.Distrust = []v1alpha1.Thumbprint{"x"} }
	tests := map[string]struct {
		certificates []*v1alpha1.ClientCertificate
		want         time.Time // its end; zero: none
	}{
		"the client's pin is found":    {[]*v1alpha1.ClientCertificate{pinned("y", another), pinned("x")}, noon.Add(time.Hour)},
		"an unknown thumbprint is not": {[]*v1alpha1.ClientCertificate{pinned("y")}, time.Time{}},
		"a pin of another client of the namespace is none": {
			[]*v1alpha1.ClientCertificate{pinned("x", func(cc *v1alpha1.ClientCertificate) { cc.Spec.ClientRef.Name = "other" })}, time.Time{},
		},
		"a pin of the same name in another namespace is none": {
			[]*v1alpha1.ClientCertificate{pinned("x", func(cc *v1alpha1.ClientCertificate) { cc.Namespace = "evil" })}, time.Time{},
		},
		"of two the one that lasts longest counts": {[]*v1alpha1.ClientCertificate{pinned("x", another, long), pinned("x")}, noon.Add(5 * time.Hour)},
		"whatever their order":                     {[]*v1alpha1.ClientCertificate{pinned("x"), pinned("x", another, long)}, noon.Add(5 * time.Hour)},
		"one object's distrust ends it under another's name": {
			[]*v1alpha1.ClientCertificate{pinned("x"), pinned("y", another, distrusting)}, time.Time{},
		},
		"another client's distrust does not": {
			[]*v1alpha1.ClientCertificate{pinned("x"), pinned("y", another, distrusting, func(cc *v1alpha1.ClientCertificate) { cc.Spec.ClientRef.Name = "other" })}, noon.Add(time.Hour),
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			var got time.Time
			if match, ok := rules.LivePin(client(), read(test.certificates...), rules.Peer{Thumbprint: "x"}, noon); ok {
				got = match.Ends
			}
			if !got.Equal(test.want) {
				t.Errorf("got a pin until %s, want %s", got, test.want)
			}
		})
	}
}
