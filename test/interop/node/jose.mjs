// jose (https://github.com/panva/jose) as an API in JavaScript would verify a token: metadata,
// keys, signature, type, issuer, audience, time.
import './input.mjs'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { main, tell } from './input.mjs'

await main(async ({ issuer, audience, token }) => {
  const response = await fetch(new URL('/.well-known/oauth-authorization-server', issuer))
  const metadata = await response.json()
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))
  const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer: metadata.issuer, audience, typ: 'at+jwt' })
  tell('verified', { payload, header: protectedHeader })
})
