package jose

import (
	"bytes"
	"crypto/elliptic"
	"math/big"
)

// curveOrder is the order n of a curve and half of it, rounded down, both as long
// as an s. The two values s and n-s of a signature are equally good; the lower one
// is at most half.
type curveOrder struct{ order, half []byte }

var (
	orderP256 = newCurveOrder(elliptic.P256())
	orderP384 = newCurveOrder(elliptic.P384())
)

func newCurveOrder(curve elliptic.Curve) curveOrder {
	n := curve.Params().N
	size := (n.BitLen() + 7) / 8
	return curveOrder{order: n.FillBytes(make([]byte, size)), half: new(big.Int).Rsh(n, 1).FillBytes(make([]byte, size))}
}

// fill writes the number into the end of out, which is as long as the order and
// zero. It reports whether the number is between 1 and the order, exclusively.
func (c *curveOrder) fill(out, number []byte) bool {
	if len(number) > len(out) {
		return false
	}
	copy(out[len(out)-len(number):], number)
	return bytes.Compare(out, c.order) < 0 && len(bytes.TrimLeft(out, "\x00")) > 0
}

// negate turns s, below the order, into the order less s.
func (c *curveOrder) negate(s []byte) {
	var borrow byte
	for i := len(s) - 1; i >= 0; i-- {
		n, less := c.order[i], byte(0)
		if n < s[i] || n == s[i] && borrow == 1 {
			less = 1
		}
		s[i] = n - s[i] - borrow // modulo 256
		borrow = less
	}
}
