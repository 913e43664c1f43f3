package app

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Handler is the control port, for tests:
//
//	GET  /report                       a [Report]
//	POST /reset                        begins counting anew
//	POST /rate?per-second=NUMBER       changes the rate; 0 pauses
//	POST /call, a [Call]               makes a single call, and answers with its [Answer]
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) { write(w, a.Report()) })
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		a.counts.reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /rate", a.setRate)
	mux.HandleFunc("POST /call", func(w http.ResponseWriter, r *http.Request) {
		var call Call
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		write(w, a.caller.Do(r.Context(), call))
	})
	return mux
}

func (a *App) setRate(w http.ResponseWriter, r *http.Request) {
	rate, err := strconv.ParseFloat(r.FormValue("per-second"), 64)
	if err != nil || rate < 0 || rate > 10_000 {
		http.Error(w, "per-second: a number from 0 to 10000", http.StatusBadRequest)
		return
	}
	select {
	case a.rate <- rate:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // whoever asked has gone
}
