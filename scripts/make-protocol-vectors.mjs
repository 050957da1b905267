// Writes test/vectors/protocol-v1.json, the conformance file of PROTOCOL version 1. It shares no code with lib/, so that file and
// library check each other. The same input gives the same file, signatures included (RFC 6979).
//
//   node scripts/make-protocol-vectors.mjs           writes the file
//   node scripts/make-protocol-vectors.mjs --check   fails when the file is not what it would write
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { bindings, enrolmentBindings, thumbprints } from './protocol-vectors/bindings.mjs';
import { challengeCases } from './protocol-vectors/challenges.mjs';
import { keys, NOW, publicOf, selfCheck, thumbprintOf } from './protocol-vectors/crypto.mjs';
import { server } from './protocol-vectors/server.mjs';
import { signatures } from './protocol-vectors/signatures.mjs';
import { enrolTokens, tokens } from './protocol-vectors/tokens.mjs';
import { verificationCases } from './protocol-vectors/verification.mjs';

const FILE = fileURLToPath(new URL('../test/vectors/protocol-v1.json', import.meta.url));

const ABOUT = [
  'Conformance vectors of the Trust API Bind (TAB) wire protocol, version 1.',
  'For writers of clients and of servers in any language. Every expectation follows from the protocol text.',
  'All keys, secrets and tokens here are public. TEST ONLY: never use one of them anywhere else.',
];

const HOW_TO_USE = {
  encoding:
    'Names that end in Base64 hold standard base64, in Hex lower-case hexadecimal. A header value has one character per octet (U+0000 to U+00FF). Times are seconds since the epoch. Absent members are absent, never null.',
  thumbprints: 'Compute the RFC 7638 SHA-256 thumbprint of jwk; compare with thumbprint. `input` is what is hashed.',
  enrolmentBinding:
    'Join the five lines with LF, hash; compare with sha256Hex. An empty thumbprint is the form for evidence that is made together with the key.',
  requestBinding:
    'Clients: send `url` (or the target itself) with method, headers and body; compute the claims; compare with claims, where an absent claim must be absent. `hashed` has the octets and the digest of each hashed claim. Servers: the same requests are in `verification`.',
  signatures:
    'Clients whose platform signs in DER: convert each of `convert`, and refuse each of `refuse`. The signatures of `convert` with a key verify under it over inputUtf8.',
  tokens:
    'Serialise header and claims as the given texts, join, sign. EdDSA tokens must come out exactly. ES256 signatures are by RFC 6979; others are as good when they verify. The order of members is free on the wire.',
  verification:
    'Servers: set up `server` with the changes of `settings`, require what `policy` says over `server.policy`, with empty stores for each case, as if it had been running for an hour. Give it the steps one after another, the clock at `at` (default: server.now); `expect` is "accepted" or the code of the refusal.',
  challenges:
    'As `verification`, for servers that make their challenges as this implementation does; to all others a challenge is opaque.',
};

function everything() {
  selfCheck();
  const named = Object.entries(keys).map(([name, key]) => {
    const { privateJwk, alg } = key;
    return [name, { alg, jwk: publicOf(privateJwk), thumbprint: thumbprintOf(privateJwk), privateJwk }];
  });
  return {
    about: ABOUT,
    howToUse: HOW_TO_USE,
    version: 1,
    now: NOW,
    constants: {
      tokenHeader: 'TAB-Token',
      nonceHeader: 'TAB-Nonce',
      errorHeader: 'TAB-Error',
      skewHeader: 'TAB-Skew',
      sessionHeader: 'TAB-Session',
      typ: 'tab+jwt',
      enrolTyp: 'tab-enroll+jwt',
      enrolLabel: 'tab-enroll-v1',
      tokenMaxBytes: 4096,
      requiredClaims: ['jti', 'iat', 'htm', 'htu', 'app', 'rt'],
      conditionalClaims: ['exp', 'nonce', 'qsh', 'bh', 'ct', 'ath', 'sid', 'hd'],
    },
    keys: Object.fromEntries(named),
    thumbprints,
    enrolmentBinding: enrolmentBindings,
    requestBinding: bindings.map(({ description, ...binding }) => ({ name: description, ...binding })),
    signatures: signatures(),
    tokens: tokens(),
    enrolTokens: enrolTokens(),
    server,
    verification: verificationCases(),
    challenges: challengeCases(),
  };
}

const options = { ...(await resolveConfig(FILE)), parser: 'json' };
const text = await format(JSON.stringify(everything()), options);
if (!process.argv.includes('--check')) writeFileSync(FILE, text);
else if (readFileSync(FILE, 'utf8') !== text) {
  console.error('test/vectors/protocol-v1.json is out of date: node scripts/make-protocol-vectors.mjs');
  process.exitCode = 1;
}
