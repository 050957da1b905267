/** The version of this interface; a bridge of another version is refused when it is used. */
export const BRIDGE_VERSION = 1;

/** A public key: `spki` is standard base64 of the DER SubjectPublicKeyInfo. P-256 only, the one curve of every secure element. */
export type BridgePublicKey =
  { readonly spki: string } | { readonly jwk: { readonly kty: 'EC'; readonly crv: 'P-256'; x: string; y: string } };

/** An ECDSA signature, standard base64: as X9.62 DER (Android Keystore, Secure Enclave), or as the 64 octets `r ‖ s`. */
export type BridgeSignature = { readonly der: string } | { readonly raw: string };

/** What the native side found, names of PROTOCOL section 3. A name in neither list was not checked. */
export interface BridgeMeasurement {
  readonly found: readonly string[];
  readonly clear: readonly string[];
}

/**
 * What a native shell (React Native, Capacitor, Ionic, Cordova, Flutter) offers the Defender. Every argument and every answer
 * is plain JSON; octets are standard base64 with padding and without line breaks. A method that cannot do its work rejects; its
 * message is never passed on, a `code` of its error is.
 */
export interface NativeBridge {
  /** 1. */
  readonly bridgeVersion: number;
  /** The public key under `alias`, or null when there is none. */
  loadKey(call: { readonly alias: string }): Promise<BridgePublicKey | null>;
  /**
   * Makes a P-256 signing key that cannot leave secure hardware. When there is one under `alias` already, that one is kept
   * and answered: calls that race end with one key.
   * @param call `challenge`: what the platform puts into the attestation that it makes with the key
   *   (`setAttestationChallenge`); absent: no attestation
   */
  generateKey(call: { readonly alias: string; readonly challenge?: string }): Promise<BridgePublicKey>;
  /** Signs `data` by ECDSA with SHA-256; the platform does the hashing. */
  sign(call: { readonly alias: string; readonly data: string }): Promise<BridgeSignature>;
  /** Removes the key; one that is not there is no error. */
  deleteKey(call: { readonly alias: string }): Promise<unknown>;
  /**
   * The statement of an attestation format (PROTOCOL section 5) over the 32 octets of `challenge`:
   * - `android-key`: `{ x5c }`, the chain that came with the key; `challenge` is what the key was made with
   * - `apple-appattest`: `{ keyId, attestationObject }`, or `{ keyId, assertion }` to renew; `challenge` is the `clientDataHash`
   * - `play-integrity`: `{ token }`; `challenge` is the `requestHash` as it is, in base64url
   */
  attestation(call: {
    readonly alias: string;
    readonly format: BridgeAttestationFormat;
    readonly challenge: string;
  }): Promise<unknown>;
  /**
   * App Attest's assertion by the key of the attestation, base64, over the 32 octets of `clientDataHash`. Absent: the platform
   * has none.
   */
  assert?(call: { readonly alias: string; readonly clientDataHash: string }): Promise<{ readonly assertion: string }>;
  /** The text saved last under `alias`, or null. In storage that only this app can read (Keychain, encrypted preferences). */
  loadState(call: { readonly alias: string }): Promise<string | null>;
  /** Saves `state` under `alias`; null removes it. */
  saveState(call: { readonly alias: string; readonly state: string | null }): Promise<unknown>;
  /** Looks for threats now. Absent: the shell has no probes. */
  measure?(): Promise<BridgeMeasurement>;
  /** Calls `listener` with names as they are found. Returns what ends it. */
  onThreats?(listener: (names: readonly string[]) => void): () => void;
}

/** Attestation formats that a bridge can make. */
export type BridgeAttestationFormat = 'android-key' | 'apple-appattest' | 'play-integrity';
