import type { Certificate } from '../x509/index.js';
import { NAME_SERIAL_NUMBER } from '../x509/name.js';

/** How a device got its attestation key: in the factory, for life, or from Google's servers, for weeks. */
export type Provisioning = 'factory' | 'rkp';

/** OID of the extension that says how many keys a device was provisioned with. */
const PROVISIONING_INFO = '1.3.6.1.4.1.11129.2.1.30';

/**
 * Tells the two apart by what Google signed: the certificate next to the root is, for a factory's batch, one of a subject
 * with a serial number, and otherwise one of a named CA (`CN=Droid CA2, O=Google LLC`). Whatever is not clearly of a factory
 * counts as remotely provisioned, which is judged more strictly.
 *
 * @param path leaf first, without the root
 */
export function provisioningOf(path: readonly Certificate[]): Provisioning {
  const { subject = [] } = path.at(-1) ?? {};
  const batch = subject.some(({ type }) => type === NAME_SERIAL_NUMBER);
  const remote = path.some(({ extensions }) => extensions.has(PROVISIONING_INFO));
  return batch && !remote ? 'factory' : 'rkp';
}
