package tokenrevocation

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

func TestARevocationEndsOnlyAfterTheLeeway(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := &v1alpha1.TokenRevocation{Spec: v1alpha1.TokenRevocationSpec{ExpiresAt: metav1.NewTime(noon)}}
	if got, want := end(r), noon.Add(30*time.Second); !got.Equal(want) {
		t.Errorf("it ends at %s; want %s, when no clock accepts its tokens any more", got, want)
	}
}

func TestTheCacheKeepsNoTokens(t *testing.T) {
	r := &v1alpha1.TokenRevocation{Spec: v1alpha1.TokenRevocationSpec{Tokens: make([]v1alpha1.RevokedToken, 512)}}
	if _, err := Cached("lanyard-system").Transform(r); err != nil || r.Spec.Tokens != nil {
		t.Errorf("%d tokens, %v", len(r.Spec.Tokens), err)
	}
	if _, err := Cached("lanyard-system").Transform(&v1alpha1.OAuthClient{}); err == nil {
		t.Error("an OAuthClient passed for a TokenRevocation")
	}
}
