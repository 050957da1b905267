import type { TabAppOptions } from 'nestjs-tab';
import { androidKeyAttestation, appleAppAttest } from 'nestjs-tab/attestation';

/** The bank's app on Android. */
export const ANDROID_APP = { id: 'com.example.bank.android', platform: 'android', minVersion: '1.0.0' } as const;

/** The bank's app on iPhones. */
export const IOS_APP = { id: 'com.example.bank.ios', platform: 'ios', minVersion: '1.0.0' } as const;

/** What Android knows the app by: its package, and the SHA-256 of the certificate that signs it, made up here. */
export const ANDROID_PACKAGE = { packageName: 'com.example.bank', signatureDigest: '5a'.repeat(32) } as const;

/** What Apple knows the app by: team and bundle. */
export const APPLE_APP_ID = 'ABCDE12345.com.example.bank';

/** Roots of synthetic authorities in PEM, for trying out: a real bank leaves them out, and Google's and Apple's are trusted. */
export interface TestRoots {
  readonly android: string;
  readonly ios: string;
}

/** The apps of phones, as their platforms attest them; without `allowUnattested`, so that nothing else enrols as one. */
export function phoneApps({ android, ios }: TestRoots, probes: NonNullable<TabAppOptions['probes']>): TabAppOptions[] {
  const { packageName, signatureDigest } = ANDROID_PACKAGE;
  const onAndroid = androidKeyAttestation({
    packageName,
    signatureDigests: [signatureDigest],
    roots: [android],
    // Google's list knows nothing of certificates that a synthetic authority made.
    revocation: 'unchecked',
  });
  const onIos = appleAppAttest({ appId: APPLE_APP_ID, environment: 'production', roots: [ios] });
  return [
    { ...ANDROID_APP, probes, attestation: [onAndroid], suspendOn: ['tamper'] },
    { ...IOS_APP, probes, attestation: [onIos], suspendOn: ['tamper'] },
  ];
}
