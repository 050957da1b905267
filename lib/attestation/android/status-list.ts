import { isJsonObject } from '../../token/json.js';

/** Whether the certificate with this serial is revoked or suspended. The serial is lower-case hex without leading zeros. */
export type RevokedSerials = (serialHex: string) => boolean;

const GOOD = 'OK';
const LEADING_ZEROS = /^0+(?=.)/;
const HEX = /^[0-9a-f]{1,64}$/;

function normal(serial: string): string {
  return serial.toLowerCase().replace(LEADING_ZEROS, '');
}

function revokedOf(entries: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const revoked = new Set<string>();
  for (const [serial, entry] of Object.entries(entries)) {
    if (!isJsonObject(entry) || typeof entry['status'] !== 'string')
      throw new Error('the status list has an entry without a status');
    // REVOKED and SUSPENDED refuse, and so does whatever status may be invented.
    if (entry['status'] !== GOOD) revoked.add(normal(serial));
  }
  return revoked;
}

/**
 * Reads a status list: `{ "entries": { "<serial>": { "status": "REVOKED" | "SUSPENDED", "reason" … } } }`
 * (https://developer.android.com/privacy-and-security/security-key-attestation#certificate_status). Serials are meant to be
 * hex without padding; real lists have decimal ones too, and nothing tells them apart, so that a serial is looked for as both.
 *
 * @throws Error when it is not such a list
 */
export function readStatusList(text: string): RevokedSerials {
  const list: unknown = JSON.parse(text);
  if (!isJsonObject(list) || !isJsonObject(list['entries'])) throw new Error('the status list has no entries');
  const revoked = revokedOf(list['entries']);
  return (serialHex) => {
    const serial = normal(serialHex);
    // What is no serial cannot be looked up, so it is not let through.
    if (!HEX.test(serial)) return true;
    return revoked.has(serial) || revoked.has(BigInt(`0x${serial}`).toString());
  };
}
