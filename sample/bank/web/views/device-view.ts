import type { DefenderStatus } from 'nestjs-tab/defender';
import type { Device } from '../device.js';
import { byId } from '../dom.js';
import type { Wire } from '../wire.js';

const STATUS: Readonly<Record<DefenderStatus, string>> = {
  new: 'New: not enrolled yet',
  ready: 'Trusted: enrolled, and its probes find nothing',
  degraded: 'Works, but a probe could not look or the bank does not answer',
  refused: 'Refused: the bank did not accept the last request',
  revoked: 'Revoked: its key is refused for ever',
};

const BADGES: Readonly<Record<DefenderStatus, string>> = {
  new: 'New device',
  ready: 'Trusted device',
  degraded: 'Device with a doubt',
  refused: 'Device refused',
  revoked: 'Device revoked',
};

const BROKEN = {
  instance_suspended:
    'Suspended: the bank has seen this device with a threat, and only attesting anew could mend that.',
  instance_revoked: 'Revoked: this key is refused for ever.',
} as const;

/** What the page knows of its own device. */
export class DeviceView {
  readonly #device: Device;
  readonly #badge = byId('device-badge', HTMLParagraphElement);
  readonly #broken = byId('broken', HTMLParagraphElement);
  readonly #wayOut = byId('way-out', HTMLAnchorElement);

  constructor(device: Device) {
    this.#device = device;
  }

  show(): void {
    const { defender, broken } = this.#device;
    const { status, instanceId, session } = defender;
    const suspended = broken === 'instance_suspended' && status === 'refused';
    this.#badge.dataset['state'] = status;
    this.#badge.textContent = suspended ? 'Device suspended' : BADGES[status];
    byId('device-status', HTMLElement).textContent = suspended ? 'Suspended until it attests anew' : STATUS[status];
    byId('device-instance', HTMLElement).textContent =
      instanceId === undefined ? 'none yet' : `${instanceId.slice(0, 12)}…`;
    byId('device-session', HTMLElement).textContent =
      session === undefined ? 'none' : `until ${timeOf(session.expires * 1000)}`;
    byId('device-probes', HTMLElement).textContent = probesOf(this.#device.wire.evidence);
    const text = broken === undefined ? '' : BROKEN[broken];
    // Only when it changes: what is said again is read out again.
    if (this.#broken.textContent !== text) this.#broken.textContent = text;
    this.#wayOut.hidden = broken === undefined;
  }
}

/** What the last token said about the runtime. */
function probesOf(evidence: Wire['evidence']): string {
  if (evidence === undefined) return 'not run yet';
  const { found, clear } = evidence;
  if (found.length === 0) return `${clear.length} looked, none found anything`;
  const hint = found.includes('debugger') ? '. Close the developer tools' : '';
  return `found: ${found.join(', ')}${hint}`;
}

const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });

function timeOf(milliseconds: number): string {
  return TIME.format(milliseconds);
}
