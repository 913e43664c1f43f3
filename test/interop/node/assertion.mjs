// jose signs an assertion (RFC 7523), for the requests that curl sends.
import './input.mjs'
import { randomUUID } from 'node:crypto'
import { importPKCS8, SignJWT } from 'jose'
import { main, pkcs8, tell } from './input.mjs'

await main(async ({ clientID, audience, key, alg, header, claims }) => {
  const assertion = await new SignJWT({ jti: randomUUID(), ...claims })
    .setProtectedHeader({ alg, typ: 'JWT', ...header })
    .setIssuer(clientID).setSubject(clientID).setAudience(audience)
    .setIssuedAt().setNotBefore('0s').setExpirationTime('5m')
    .sign(await importPKCS8(pkcs8(key), alg))
  tell('assertion', { assertion })
})
