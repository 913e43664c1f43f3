package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// maxClaimed is how much of a client id is logged that nobody has verified.
const maxClaimed = 128

const outcomeOK = "ok"

// outcome is "ok" or the OAuth error code.
func (x *exchange) outcome() string {
	if x.refusal != nil {
		return string(x.refusal.Code())
	}
	return outcomeOK
}

// report writes the one event of a request. It holds no token, assertion or
// secret: x has none of them.
func (a *API) report(ctx context.Context, x *exchange) {
	level := slog.LevelInfo
	var message string
	switch x.endpoint {
	case endpointToken:
		message = "token request"
	case endpointIntrospection:
		message = "introspection request"
	case endpointRevocation:
		message = "revocation request"
	default:
		level, message = slog.LevelDebug, "request" // verifiers poll these; the metrics count them
	}
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !a.cfg.Log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 28)
	attrs = append(attrs,
		slog.String("trace_id", x.trace),
		slog.String("correlation_id", x.correlation),
		slog.String("peer", x.peer.String()),
		slog.String("method", clip(x.r.Method)),
		slog.String("path", clip(x.r.URL.Path)),
		slog.Int("status", x.status),
		slog.String("outcome", x.outcome()),
	)
	attrs = x.appendRefusal(attrs)
	attrs = x.appendEvent(attrs)
	attrs = append(attrs, slog.Float64("duration_ms", float64(a.cfg.Now().Sub(x.start))/float64(time.Millisecond)))
	// Past Logger.LogAttrs, which looks for the caller each time, to no use here.
	record := slog.NewRecord(a.cfg.Now(), level, message, 0)
	record.AddAttrs(attrs...)
	_ = a.cfg.Log.Handler().Handle(ctx, record) // as Logger does: there is nowhere to say it
}

func (x *exchange) appendRefusal(attrs []slog.Attr) []slog.Attr {
	e := x.refusal
	if e == nil {
		return attrs
	}
	attrs = append(attrs, slog.Any("error_codes", []oauth.Number{e.Number}))
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.String("cause", e.Cause.Error()))
	}
	if x.certificateIgnored {
		attrs = append(attrs, slog.String("ignored", "the header Client-Cert of a peer that is no configured proxy"))
	}
	return attrs
}

// appendEvent adds what was learned of the client and its token. Without an
// auth_method the client_id is only what the caller claimed.
func (x *exchange) appendEvent(attrs []slog.Attr) []slog.Attr {
	ev := &x.event
	if ev.ClientID != "" {
		id := ev.ClientID
		if ev.Method == "" {
			id = clip(id)
		}
		attrs = append(attrs, slog.String("client_id", id))
	}
	if ev.Method != "" {
		attrs = append(attrs, slog.String("auth_method", string(ev.Method)))
	}
	if ev.Thumbprint != "" {
		attrs = append(attrs, slog.String("thumbprint", ev.Thumbprint))
	}
	if x.proxied {
		attrs = append(attrs, slog.Bool("proxied", true))
	}
	if w := ev.Workload; w != nil {
		attrs = append(attrs, slog.String("namespace", w.Namespace), slog.String("service_account", w.ServiceAccount))
		if w.Pod != "" {
			attrs = append(attrs, slog.String("pod", w.Pod))
		}
	}
	if ev.Audience != "" {
		attrs = append(attrs, slog.String("audience", ev.Audience))
	}
	if ev.Inactive != "" {
		attrs = append(attrs, slog.String("inactive", ev.Inactive))
	}
	if ev.TokenID != "" {
		attrs = append(attrs,
			slog.String("roles", strings.Join(ev.Roles, " ")),
			slog.String("jti", ev.TokenID),
			slog.Time("expires", ev.ExpiresAt.UTC()))
	}
	return attrs
}

// clip bounds what a stranger can write into the log.
func clip(s string) string {
	if len(s) > maxClaimed {
		return strings.ToValidUTF8(s[:maxClaimed], "") + "..."
	}
	return s
}
