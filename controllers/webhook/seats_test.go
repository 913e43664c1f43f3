package webhook

import (
	"context"
	"errors"
	"testing"
)

func TestRefusesMoreReviewsAtOnceThanThereAreSeats(t *testing.T) {
	s := make(seats, 2)
	for range 2 {
		if err := s.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.take(late); !errors.Is(err, errBusy) {
		t.Errorf("take = %v with every seat taken; want %v", err, errBusy)
	}
	s.giveBack()
	if err := s.take(t.Context()); err != nil {
		t.Errorf("take = %v with a seat that was given back", err)
	}
}
