// The artefacts of the attestation benchmark, and how each package is asked about them, as its documentation says.
import {
  createHash,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SettingsService, verifyRegistrationResponse } from '@simplewebauthn/server';
import * as checker from 'appattest-checker-node';
import { encode } from 'cborg';
import { CompactEncrypt, CompactSign, SignJWT } from 'jose';
import * as nodeAppAttest from 'node-app-attest';

const ROOT = process.env.TAB_VECTORS ?? fileURLToPath(new URL('../../shared/vectors', import.meta.url));
/** The package as its users import it; this folder has a package.json of its own, so its name does not resolve from here. */
const { resolve } = createRequire(new URL('../package.json', import.meta.url));
const ours = (subpath) => import(pathToFileURL(resolve(`nestjs-tab/${subpath}`)).href);
const sha256 = (octets) => createHash('sha256').update(octets).digest();
const base64 = (text) => Buffer.from(text, 'base64');

/** The JSON files of a topic's folder, without those of other suites. */
function vectors(topic, folder) {
  const path = join(ROOT, topic, folder);
  if (!existsSync(path)) return [];
  const files = readdirSync(path).filter((name) => name.endsWith('.json'));
  return files.map((name) => ({ ...JSON.parse(readFileSync(join(path, name), 'utf8')), file: join(path, name) }));
}

/** A refusal, for packages that return one. */
function must(result) {
  if (result.verifyError !== undefined) throw new Error(result.verifyError);
  return result;
}

const accepted = ({ expected }) => /^(?:chain )?accept/.test(String(expected));

/** Peers hash what they are given, so an artefact must have it. */
const hashed = ({ clientDataB64, clientDataHashB64 }) =>
  clientDataB64 && sha256(base64(clientDataB64)).equals(base64(clientDataHashB64));

export async function appleCases() {
  const { verifyAppleAttestation, verifyAppleAssertion } = await ours('attestation');
  const attestations = vectors('apple-app-attest', 'attestations').filter((each) => accepted(each) && hashed(each));
  const times = new Map(attestations.map(({ id, evaluateAt }) => [id, Date.parse(evaluateAt)]));
  const assertions = vectors('apple-app-attest', 'assertions').filter((each) => accepted(each) && hashed(each));
  return [
    {
      title: 'apple-appattest, attestation',
      kind: 'genuine attestations',
      note: 'No dates are checked by node-app-attest; appattest-checker-node checks no CA mark and no part of the object behind what it reads; neither restricts what the CBOR may be, nor compares the COSE key with the certificate.',
      artefacts: attestations.map(appleAttestation),
      verifiers: {
        'nestjs-tab': (each) => verifyAppleAttestation({ ...each.ours, now: new Date() }),
        'node-app-attest': ({ node }) => nodeAppAttest.verifyAttestation(node),
        'appattest-checker-node': ({ checked }) => checker.verifyAttestation(...checked).then(must),
      },
    },
    {
      title: 'apple-appattest, assertion',
      kind: 'genuine assertions',
      note: 'appattest-checker-node does not compare the counter; neither judges the data behind it.',
      artefacts: assertions.map((each) => appleAssertion(each, times.get(each.attestationRef) ?? 0)),
      verifiers: {
        'nestjs-tab': (each) => verifyAppleAssertion(each.ours),
        'node-app-attest': ({ node }) => nodeAppAttest.verifyAssertion(node),
        'appattest-checker-node': ({ checked }) => checker.verifyAssertion(...checked).then(must),
      },
    },
  ];
}

/** `TEAMID.bundle.id`, as node-app-attest wants it. */
function partsOf(appId) {
  const dot = appId.indexOf('.');
  return { teamIdentifier: appId.slice(0, dot), bundleIdentifier: appId.slice(dot + 1) };
}

function appleAttestation({
  id,
  appId,
  environment,
  keyIdB64,
  clientDataB64,
  clientDataHashB64,
  attestationB64,
  evaluateAt,
}) {
  const [attestation, challenge] = [base64(attestationB64), base64(clientDataB64)];
  const developmentEnv = environment === 'development';
  return {
    id,
    at: Date.parse(evaluateAt),
    ours: {
      attestationObject: attestation,
      keyId: keyIdB64,
      clientDataHash: base64(clientDataHashB64),
      appId,
      environment,
    },
    node: { attestation, challenge, keyId: keyIdB64, ...partsOf(appId), allowDevelopmentEnvironment: developmentEnv },
    checked: [{ appId, developmentEnv }, keyIdB64, challenge, attestation],
  };
}

function appleAssertion(
  { id, appId, publicKeyPem, clientDataB64, clientDataHashB64, assertionB64, storedCounterBefore },
  at,
) {
  const [assertion, clientDataHash, signCount] = [
    base64(assertionB64),
    base64(clientDataHashB64),
    storedCounterBefore ?? 0,
  ];
  // Each package is given the key in the form in which it hands keys out to be kept.
  const { crv, kty, x, y } = createPublicKey(publicKeyPem).export({ format: 'jwk' });
  return {
    id,
    at,
    ours: { assertion, clientDataHash, publicKey: { crv, kty, x, y }, appId, previousCounter: signCount },
    node: { assertion, payload: base64(clientDataB64), publicKey: publicKeyPem, ...partsOf(appId), signCount },
    checked: [clientDataHash, publicKeyPem, appId, assertion],
  };
}

const ORIGIN = 'https://bank.example';
const RP_ID = 'bank.example';
const PACKAGE = 'com.example.bank';
const DIGEST = 'ab'.repeat(32);

/**
 * SimpleWebAuthn judges Android chains as part of WebAuthn registrations. No genuine registration with a hardware key is at
 * hand, so a synthetic authority makes one: the same chain of five certificates for both.
 */
export async function webauthnCases() {
  const { verifyAndroidKeyAttestation } = await ours('attestation');
  const { createAndroidAttestationCa } = await ours('testing');
  const ca = createAndroidAttestationCa();
  const artefacts = Array.from({ length: 4 }, (_, index) => registration(ca, `registration ${index}`));
  // SimpleWebAuthn compares the root as a whole, and the authority signs it anew for each chain.
  const certificates = artefacts.map(({ x5c }) => base64(x5c.at(-1)));
  SettingsService.setRootCertificates({ identifier: 'android-key', certificates });
  const settings = { packageName: PACKAGE, signatureDigests: [DIGEST], roots: [ca.root] };
  return [
    {
      title: 'android-key, WebAuthn registration',
      kind: 'synthetic registrations',
      note: 'SimpleWebAuthn also reads the WebAuthn frame around the chain; it does not look at security levels, origin, purpose, boot state, boot loader, package, signer, a second attestation extension or the revocation list. Both verify the signature by the attested key.',
      artefacts,
      verifiers: {
        'nestjs-tab': ({ x5c, challenge, signed, signature }) => {
          const { publicKey } = verifyAndroidKeyAttestation({ x5c, challenge, ...settings, now: new Date() });
          const key = createPublicKey({ key: publicKey, format: 'jwk' });
          if (!verify('sha256', signed, key, signature)) throw new Error('signature');
        },
        '@simplewebauthn/server': ({ response, expectedChallenge }) =>
          verifyRegistrationResponse({
            response,
            expectedChallenge,
            expectedOrigin: ORIGIN,
            expectedRPID: RP_ID,
            requireUserVerification: false,
          }).then(({ verified }) => {
            if (!verified) throw new Error('not verified');
          }),
      },
    },
  ];
}

/** A WebAuthn registration whose statement is an Android key attestation. */
function registration(ca, id) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const expectedChallenge = randomBytes(32).toString('base64url');
  const clientData = Buffer.from(
    JSON.stringify({ type: 'webauthn.create', challenge: expectedChallenge, origin: ORIGIN }),
  );
  const challenge = sha256(clientData);
  const x5c = ca.attest({ publicKey, challenge, packageName: PACKAGE, signatureDigest: DIGEST });
  const credentialId = randomBytes(32);
  const cose = new Map([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, Buffer.from(x, 'base64url')],
    [-3, Buffer.from(y, 'base64url')],
  ]);
  const counter = Buffer.alloc(4);
  const head = [
    sha256(RP_ID),
    Buffer.of(0x41),
    counter,
    Buffer.alloc(16),
    Buffer.of(0, 32),
    credentialId,
    encode(cose),
  ];
  const authData = Buffer.concat(head);
  const signed = Buffer.concat([authData, challenge]);
  const signature = sign('sha256', signed, privateKey);
  const attStmt = { alg: -7, sig: signature, x5c: x5c.map(base64) };
  const attestationObject = Buffer.from(encode({ fmt: 'android-key', attStmt, authData })).toString('base64url');
  const rawId = credentialId.toString('base64url');
  return {
    id,
    at: Date.now(),
    x5c,
    challenge,
    signed,
    signature,
    expectedChallenge,
    response: {
      id: rawId,
      rawId,
      type: 'public-key',
      clientExtensionResults: {},
      response: { clientDataJSON: clientData.toString('base64url'), attestationObject, transports: ['internal'] },
    },
  };
}

/** Genuine chains; no other package for Node judges them outside WebAuthn. */
export async function androidCases() {
  const { verifyAndroidKeyAttestation } = await ours('attestation');
  const chains = vectors('android-key-attestation', 'chains').filter((each) => accepted(each) && each.rootIsGoogle);
  const policy = { allowUnlocked: true, allowUnverifiedBoot: true };
  return [
    {
      title: 'android-key',
      kind: 'genuine chains, three to five certificates, EC and RSA',
      note: 'No other package for Node judges these outside WebAuthn.',
      artefacts: chains.map(({ id, file, evaluateAt, challengeB64, keyDescriptionReadHere: [read] = [] }) => ({
        id,
        at: Date.parse(evaluateAt),
        x5c: readFileSync(file.replace(/\.json$/, '.pem'), 'utf8')
          .match(/(?<=CERTIFICATE-----\n)[^-]+/g)
          .map(base64),
        challenge: base64(challengeB64 ?? read?.challengeB64 ?? ''),
      })),
      verifiers: {
        'nestjs-tab': ({ x5c, challenge }) => verifyAndroidKeyAttestation({ x5c, challenge, policy, now: new Date() }),
      },
    },
  ];
}

/** What an attester is given beside the statement. */
function inputOf(app, now) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  const thumbprint = sha256(JSON.stringify({ crv, kty, x, y })).toString('base64url');
  const challenge = randomBytes(32).toString('base64url');
  const [binding, keylessBinding] = [randomBytes(32), randomBytes(32)];
  return { publicKey: { crv, kty, x, y }, thumbprint, app, challenge, binding, keylessBinding, now };
}

/** Formats that are signed JWTs: the whole attester, keys at hand. */
export async function jwtCases() {
  const app = { id: PACKAGE, ver: '1.0.0', platform: 'android' };
  const now = Math.floor(Date.now() / 1000);
  const input = inputOf(app, now);
  const cases = [
    await clientAttestationCase(input),
    await vendorCase(input),
    await approovCase(input),
    await playCase(input),
  ];
  return [...(await firebaseCases()), ...cases].map(
    ({ title, kind = 'synthetic token', attester, at = now, ...rest }) => ({
      title,
      kind,
      note: 'No other package judges this statement and its binding.',
      artefacts: [{ id: title, at: at * 1000, input: { ...input, ...rest.input, statement: rest.statement, now: at } }],
      verifiers: { 'nestjs-tab': (each) => attester.examine(each.input)() },
    }),
  );
}

async function clientAttestationCase({ publicKey }) {
  const { clientAttestation } = await ours('attestation');
  const { createAttestationIssuer } = await ours('testing');
  const issuer = createAttestationIssuer();
  const jwt = await issuer.issue({ sub: PACKAGE, publicKey });
  return {
    title: 'client-attestation',
    statement: { jwt },
    attester: clientAttestation({ issuers: [{ jwks: issuer.jwks }] }),
  };
}

async function vendorCase({ challenge, thumbprint }) {
  const { vendorJwt } = await ours('attestation');
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [iss, aud] = ['https://rasp.example', 'https://api.example'];
  const jwt = await new SignJWT({ nonce: challenge, cnf: { jkt: thumbprint }, device: { rooted: false } })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(iss)
    .setAudience(aud)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  const key = publicKey.export({ format: 'pem', type: 'spki' });
  const vendors = [{ iss, aud, key, algorithms: ['ES256'], threats: { 'device.rooted': 'root' } }];
  return { title: 'jwt', statement: { jwt }, attester: vendorJwt({ vendors }) };
}

async function approovCase({ binding }) {
  const { approov } = await ours('attestation');
  const secret = randomBytes(64);
  const pay = sha256(binding.toString('base64url')).toString('base64');
  const token = await new SignJWT({ pay, did: 'device' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(createSecretKey(secret));
  return { title: 'approov, HS256', statement: { token }, attester: approov({ secrets: [secret.toString('base64')] }) };
}

async function playCase({ binding }) {
  const { playIntegrity } = await ours('attestation');
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const decryptionKey = randomBytes(32);
  const verdict = {
    requestDetails: {
      requestPackageName: PACKAGE,
      nonce: binding.toString('base64url'),
      timestampMillis: String(Date.now()),
    },
    appIntegrity: { appRecognitionVerdict: 'PLAY_RECOGNIZED', packageName: PACKAGE, versionCode: '1' },
    deviceIntegrity: { deviceRecognitionVerdict: ['MEETS_DEVICE_INTEGRITY'] },
    accountDetails: { appLicensingVerdict: 'LICENSED' },
  };
  const jws = await new CompactSign(Buffer.from(JSON.stringify(verdict)))
    .setProtectedHeader({ alg: 'ES256' })
    .sign(privateKey);
  const token = await new CompactEncrypt(Buffer.from(jws))
    .setProtectedHeader({ alg: 'A256KW', enc: 'A256GCM' })
    .encrypt(decryptionKey);
  const verificationKey = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const classic = { decryptionKey: decryptionKey.toString('base64'), verificationKey };
  return { title: 'play-integrity, classic', statement: { token }, attester: playIntegrity({ classic }) };
}

async function firebaseCases() {
  const path = join(ROOT, 'firebase-app-check');
  if (!existsSync(path)) return [];
  const { firebaseAppCheck } = await ours('attestation');
  const read = (file) => JSON.parse(readFileSync(join(path, file), 'utf8'));
  const { projectId, projectNumber, appId, evaluateAt, cases } = read('cases.json');
  const { token } = cases.find(accepted);
  const attester = firebaseAppCheck({ projectId, projectNumber, appId, jwks: read('jwks.json') });
  const at = Math.floor(Date.parse(evaluateAt) / 1000);
  return [{ title: 'firebase-app-check', kind: 'token of a test suite', statement: { token }, attester, at }];
}
