// @azure/msal-node as a confidential client whose authority is not Microsoft's.
import './input.mjs'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfidentialClientApplication, ProtocolMode } from '@azure/msal-node'
import { main, tell } from './input.mjs'

function credential({ secret, assertion, thumbprint, certificate, key }) {
  if (secret) {
    return { clientSecret: secret }
  }
  if (assertion) {
    return { clientAssertion: assertion }
  }
  return {
    clientCertificate: {
      thumbprintSha256: thumbprint,
      privateKey: readFileSync(key, 'utf8'),
      x5c: certificate && readFileSync(certificate, 'utf8'),
    },
  }
}

// watch tells what the library sends, and of an assertion only whether it is another one.
function watch(fetch) {
  return async (url, options) => {
    const response = await fetch(url, options)
    const form = new URLSearchParams(options?.body ?? '')
    const assertion = form.get('client_assertion')
    tell('exchange', {
      path: new URL(url).pathname,
      status: response.status,
      query: [...new URL(url).searchParams.keys()],
      form: [...form.keys()],
      assertion: assertion ? createHash('sha256').update(assertion).digest('hex') : undefined,
      header: assertion ? JSON.parse(Buffer.from(assertion.split('.')[0], 'base64url')) : undefined,
    })
    return response
  }
}

await main(async (input) => {
  globalThis.fetch = watch(globalThis.fetch)
  const application = new ConfidentialClientApplication({
    auth: {
      clientId: input.clientID,
      authority: input.authority,
      knownAuthorities: [new URL(input.authority).host],
      ...credential(input),
    },
    system: { protocolMode: ProtocolMode[input.mode] },
  })
  for (const scope of input.scopes) {
    const answer = await application.acquireTokenByClientCredential({
      scopes: [scope],
      claims: input.claims,
      correlationId: input.correlationID,
    })
    tell('token', {
      access_token: answer.accessToken,
      token_type: answer.tokenType,
      from_cache: answer.fromCache,
      expires_in: Math.round((answer.expiresOn.getTime() - Date.now()) / 1000),
    })
  }
})
