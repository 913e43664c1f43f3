package mint

import "github.com/lanyard-dev/lanyard/issuer/rules"

// claims are those of an access token: RFC 9068 section 2.2, cnf of RFC 8705
// section 3.1, appid and tid as Microsoft's libraries know them, and who asked in
// the form of the API server's own tokens. lanyard.dev is what the token rests on
// beside, where that is worth a word.
type claims struct {
	Issuer     string        `json:"iss"`
	Subject    string        `json:"sub"`
	ClientID   string        `json:"client_id"`
	AppID      string        `json:"appid"`
	AZP        string        `json:"azp"`
	Audience   string        `json:"aud"`
	Expiry     int64         `json:"exp"`
	IssuedAt   int64         `json:"iat"`
	NotBefore  int64         `json:"nbf"`
	ID         string        `json:"jti"`
	Tenant     string        `json:"tid"`
	Roles      []string      `json:"roles,omitempty"`
	Scope      string        `json:"scope"`
	Confirm    *confirmation `json:"cnf,omitempty"`
	Kubernetes *kubernetes   `json:"kubernetes.io,omitempty"`

	Evidence *rules.Evidence `json:"lanyard.dev,omitempty"`
}

type confirmation struct {
	X5TS256 string `json:"x5t#S256,omitempty"` // RFC 8705 section 3.1
	JKT     string `json:"jkt,omitempty"`      // RFC 9449 section 6.1
}

type kubernetes struct {
	Namespace      string     `json:"namespace"`
	ServiceAccount reference  `json:"serviceaccount"`
	Pod            *reference `json:"pod,omitempty"`
}

type reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

func claimsOf(a rules.Approval, issuer, id string) claims {
	c := claims{
		Issuer:    issuer,
		Subject:   a.ClientID(),
		ClientID:  a.ClientID(),
		AppID:     a.ClientID(),
		AZP:       a.ClientID(),
		Audience:  a.Audience(),
		Expiry:    a.ExpiresAt().Unix(),
		IssuedAt:  a.IssuedAt().Unix(),
		NotBefore: a.IssuedAt().Unix(),
		ID:        id,
		Tenant:    a.Tenant(),
		Roles:     a.Roles(),
		Scope:     a.Scope(),
	}
	if a.Thumbprint() != "" || a.JKT() != "" {
		c.Confirm = &confirmation{X5TS256: a.Thumbprint(), JKT: a.JKT()}
	}
	if e := a.Evidence(); e != (rules.Evidence{}) {
		c.Evidence = &e
	}
	if w := a.Workload(); w != nil {
		c.Kubernetes = &kubernetes{
			Namespace:      w.Namespace,
			ServiceAccount: reference{w.ServiceAccount, w.ServiceAccountUID},
		}
		if w.Pod != "" {
			c.Kubernetes.Pod = &reference{w.Pod, w.PodUID}
		}
	}
	return c
}
