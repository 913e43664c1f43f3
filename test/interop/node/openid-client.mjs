// openid-client (https://github.com/panva/openid-client) as it is documented: discovery, the
// client credentials grant with each way of authentication, DPoP, introspection, revocation.
import './input.mjs'
import { readFileSync } from 'node:fs'
import { importPKCS8 } from 'jose'
import * as client from 'openid-client'
import * as undici from 'undici'
import { main, pkcs8, tell } from './input.mjs'

async function authentication({ method, secret, key, kid, alg }) {
  switch (method) {
    case 'client_secret_basic':
      return client.ClientSecretBasic(secret)
    case 'client_secret_post':
      return client.ClientSecretPost(secret)
    case 'private_key_jwt':
      return client.PrivateKeyJwt({ key: await importPKCS8(pkcs8(key), alg), kid })
    case 'tls_client_auth':
      return client.TlsClientAuth()
    default:
      return client.None()
  }
}

await main(async (input) => {
  // Every request of the library passes here: with the client certificate, if there is one,
  // and counted, so that a test sees what went over the wire.
  const connect = input.certificate && { cert: readFileSync(input.certificate), key: readFileSync(input.certificateKey) }
  const dispatcher = connect && new undici.Agent({ connect: { ...connect, ca: readFileSync(process.env.NODE_EXTRA_CA_CERTS) } })
  const fetch = async (url, options) => {
    const response = dispatcher ? await undici.fetch(url, { ...options, dispatcher }) : await globalThis.fetch(url, options)
    tell('exchange', {
      path: new URL(url).pathname,
      status: response.status,
      nonce: response.headers.get('dpop-nonce') !== null,
    })
    return response
  }
  const config = await client.discovery(
    new URL(input.issuer),
    input.clientID,
    { token_endpoint_auth_method: input.method, use_mtls_endpoint_aliases: Boolean(connect) },
    await authentication(input),
    { algorithm: input.algorithm ?? 'oauth2', [client.customFetch]: fetch },
  )
  config[client.customFetch] = fetch
  tell('metadata', { metadata: config.serverMetadata() })
  let token = input.token
  if (input.scope) {
    const DPoP = input.dpop ? client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) : undefined
    for (let i = 0; i < (input.times ?? 1); i++) {
      const answer = await client.clientCredentialsGrant(config, { scope: input.scope }, DPoP && { DPoP })
      tell('token', { ...answer, expiresIn: answer.expiresIn() })
      token = answer.access_token
    }
    if (input.resource) {
      const response = await client.fetchProtectedResource(
        config, token, new URL(input.resource), 'GET', undefined, undefined, DPoP && { DPoP },
      )
      tell('resource', { status: response.status, body: await response.text() })
    }
  }
  if (input.introspect) {
    tell('introspection', { ...await client.tokenIntrospection(config, token) })
  }
  if (input.revoke) {
    await client.tokenRevocation(config, token)
    tell('revocation')
    tell('introspection', { ...await client.tokenIntrospection(config, token) })
  }
  await dispatcher?.close()
})
