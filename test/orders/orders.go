// Package orders is a small API as a team would write it behind Lanyard: it knows
// nothing of Kubernetes or OAuth but what package verifier tells it. The demo and
// the tests call it.
package orders

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/lanyard-dev/lanyard/verifier"
)

// RoleRead is the AppRole that GET /orders needs.
const RoleRead = "Orders.Read.All"

// Order is one line of the answer.
type Order struct {
	ID    string `json:"id"`
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// Caller says who asked, as the token names it.
type Caller struct {
	ClientID       string `json:"client_id"`
	Namespace      string `json:"namespace,omitempty"`
	ServiceAccount string `json:"service_account,omitempty"`
	Pod            string `json:"pod,omitempty"`
	// Certificate is the thumbprint that the token is bound to.
	Certificate string `json:"certificate,omitempty"`
}

// List is the answer of GET /orders.
type List struct {
	Caller Caller  `json:"caller"`
	Orders []Order `json:"orders"`
}

// Handler serves GET /orders to clients with RoleRead, and GET /healthz to all.
// It logs who called, and never a token.
func Handler(v *verifier.Verifier, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.RequireRole(RoleRead)(list(log)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

func list(log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := verifier.FromContext(r.Context())
		if !ok {
			http.Error(w, "no token was verified", http.StatusInternalServerError)
			return
		}
		log.InfoContext(r.Context(), "orders listed", "client_id", token.ClientID, "pod", token.Workload.Pod.Name, "jti", token.ID)
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(List{Caller: callerOf(token), Orders: stock()}); err != nil {
			log.WarnContext(r.Context(), "answer not written", "error", err)
		}
	})
}

func callerOf(t *verifier.Token) Caller {
	return Caller{
		ClientID:       t.ClientID,
		Namespace:      t.Workload.Namespace,
		ServiceAccount: t.Workload.ServiceAccount.Name,
		Pod:            t.Workload.Pod.Name,
		Certificate:    t.Thumbprint,
	}
}

func stock() []Order {
	return []Order{{ID: "1001", Item: "lanyard, blue", Count: 3}, {ID: "1002", Item: "lanyard, red", Count: 1}}
}
