package cartwheel

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

type claims struct {
	Sub   string `json:"sub"`
	Exp   int64  `json:"exp"`
	Scope string `json:"scope"`
}

// ShopperToken signs a token with which a browser acts for one shopper, for at most a day. Call it on
// the shop's server only: the secret, cws_…, must not leave it. A guest is written as ~ and the
// anonymous id.
func ShopperToken(secret, shopper string, valid time.Duration) (string, error) {
	expires := time.Now().Add(valid).Unix()
	body, err := json.Marshal(claims{shopper, expires, "events:write recommendations:read"})
	if err != nil {
		return "", fmt.Errorf("cartwheel: %w", err)
	}
	signed := "v1." + base64.RawURLEncoding.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}
