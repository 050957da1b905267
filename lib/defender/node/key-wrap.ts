/**
 * A protection of the operating system for what a key file holds: a keychain, DPAPI, a TPM. All that it throws counts as a
 * failure and is not passed on.
 */
export interface KeyWrap {
  /** Written into the file, so that another protection, or none, is not tried on it. */
  readonly name: string;
  /** Whether it protects now. When it does not, the store fails: it never writes or makes a key without it. */
  isAvailable(): boolean | Promise<boolean>;
  encrypt(text: string): Uint8Array | Promise<Uint8Array>;
  /** Throws for anything that `encrypt` of the same user on the same machine did not make. */
  decrypt(bytes: Uint8Array): string | Promise<string>;
}
