// What every program here begins and ends with: one JSON document on standard input, because
// secrets do not belong on a command line, and one JSON document for each step on standard output.
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { createPrivateKey, webcrypto } from 'node:crypto'

// Node.js 18 has Web Cryptography, and does not yet offer it as a global.
globalThis.crypto ??= webcrypto
globalThis.CryptoKey ??= webcrypto.CryptoKey

export async function input() {
  return JSON.parse(await text(process.stdin))
}

// pkcs8 reads a key as Web Cryptography takes it; cert-manager writes others, too.
export function pkcs8(path) {
  return createPrivateKey(readFileSync(path)).export({ type: 'pkcs8', format: 'pem' })
}

export function tell(step, values) {
  console.log(JSON.stringify({ step, ...values }))
}

// main runs a program. What goes wrong is told with everything that the library says of it.
export async function main(program) {
  try {
    await program(await input())
  } catch (error) {
    for (let cause = error; cause; cause = cause.cause) {
      const { name, message, code, error, error_description, errorCode, errorMessage, subError, status } = cause
      console.error(JSON.stringify({ name, message, code, error, error_description, errorCode, errorMessage, subError, status }))
    }
    process.exitCode = 1
  }
}
