import { parseCertificate } from '../../attestation/x509/index.js';
import { attempt, facts, group, type Finding } from './finding.js';

type Name = ReturnType<typeof parseCertificate>['subject'];

const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
};

function nameText(name: Name): string {
  return name.map(({ type, value }) => `${ATTRIBUTES[type] ?? type}=${value}`).join(', ');
}

function certificateFinding(der: Uint8Array, index: number): Finding {
  const [certificate, form] = attempt(`certificate ${index}`, () => parseCertificate(der));
  if (certificate === undefined) return form;
  const { subject, issuer, serialHex, notBefore, notAfter } = certificate;
  const validity = `${notBefore.toISOString()} to ${notAfter.toISOString()}`;
  return facts(`${index}: ${nameText(subject)}`, { issuer: nameText(issuer), serial: serialHex, validity });
}

/** What the certificates of a chain say, leaf first. */
export function certificateFacts(x5c: readonly Uint8Array[]): Finding {
  return group(`certificates (${x5c.length})`, x5c.map(certificateFinding));
}
