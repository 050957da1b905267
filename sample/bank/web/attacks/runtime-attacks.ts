import { toldError } from '../answers.js';
import { AMOUNT, honestTransfer, type Attack, type Scene, type Step } from './attack.js';

/** Milliseconds. */
const HOUR = 3_600_000;

/** Attacks on the runtime, and what becomes of a device that is not trusted any more. */
export const RUNTIME_ATTACKS: readonly Attack[] = [
  {
    id: 'webdriver',
    title: 'Drive the page by a robot',
    what: 'Switches on navigator.webdriver, which browsers set when a program drives them. The Defender of this very page is asked to move money.',
    steps: () => [
      { what: 'A transfer while the robot drives', expected: '403 insufficient_trust', run: transferByRobot },
      honestTransfer('A transfer after the robot has gone'),
    ],
  },
  {
    id: 'clock-back',
    title: 'Turn back the time in the page',
    what: 'Puts a function in the place of Date.now that is an hour late, so that the app takes for fresh what has expired. The Defender asks a clock that no script of the page has touched.',
    steps: () => [
      { what: 'A transfer while it is an hour earlier', expected: '403 insufficient_trust', run: transferAnHourAgo },
      honestTransfer('A transfer by the right time'),
    ],
  },
  {
    id: 'hook-fetch',
    title: 'Hook fetch in the page',
    what: 'Replaces window.fetch with a function that reads along, as injected scripts and bad extensions do, then takes it away again. The bank does not believe in such a sudden cure: the device stays suspended.',
    steps: () => [
      { what: 'A transfer while fetch is hooked', expected: '403 insufficient_trust', run: transferHooked },
      { what: 'A transfer after the hook has gone', expected: '403 instance_suspended', run: transfer },
      { what: 'The same key enrols again', expected: '403 instance_suspended', run: enrol },
    ],
  },
  {
    id: 'revoke',
    title: 'Revoke this device',
    what: 'No attack: the customer reports the device as stolen. From the next request on it is worth nothing, on every node of the bank.',
    steps: () => [
      { what: 'The device is given up', expected: '204', run: ({ customer }) => customer.revokeDevice() },
      {
        what: 'It reads the accounts',
        expected: '403 instance_revoked',
        run: ({ customer }) => customer.readAccounts(),
      },
      { what: 'The same key enrols again', expected: '403 instance_revoked', run: enrol },
    ],
  },
  {
    id: 'recover',
    title: 'Start over with a new key',
    what: 'What is left for a device that lost its trust and cannot attest: the old key is thrown away, a new one is enrolled, and the customer signs in again.',
    steps: recovery,
    withBrokenDevice: true,
  },
];

function transfer({ customer }: Scene): Promise<string> {
  return customer.transfer(customer.orderOf(AMOUNT));
}

function enrol({ device }: Scene): Promise<string> {
  return device.defender.enrol().then(() => 'enrolled', toldError);
}

async function transferByRobot(scene: Scene): Promise<string> {
  const own = Object.getOwnPropertyDescriptor(Navigator.prototype, 'webdriver');
  Object.defineProperty(Navigator.prototype, 'webdriver', { ...own, get: () => true });
  try {
    return await transfer(scene);
  } finally {
    if (own) Object.defineProperty(Navigator.prototype, 'webdriver', own);
  }
}

async function transferAnHourAgo(scene: Scene): Promise<string> {
  const { now } = Date;
  Date.now = () => now() - HOUR;
  try {
    return await transfer(scene);
  } finally {
    Date.now = now;
  }
}

async function transferHooked(scene: Scene): Promise<string> {
  const { fetch } = window;
  window.fetch = function hooked(...args) {
    return fetch.apply(window, args);
  };
  try {
    return await transfer(scene);
  } finally {
    window.fetch = fetch;
  }
}

async function recovery({ device }: Scene): Promise<readonly Step[]> {
  const newKey: Step = {
    what: 'It is thrown away, and a new key is enrolled',
    expected: 'enrolled',
    run: async (scene) => {
      scene.customer.forget();
      await scene.device.startOver();
      return enrol(scene);
    },
  };
  const rest: readonly Step[] = [
    { what: 'The customer signs in', expected: '200', run: signIn },
    honestTransfer('A transfer'),
  ];
  if (!(await device.holdsKey()))
    return [{ ...newKey, what: 'Another tab has made a new key; it is enrolled' }, ...rest];
  // The bank lets nobody retire a key that it has suspended: it wants to know it when it comes again.
  const retired = device.broken === 'instance_suspended' ? '403 instance_suspended' : 'retired';
  const retirement: Step = { what: 'The old key is retired', expected: retired, run: retire };
  return [retirement, newKey, ...rest];
}

function retire({ device }: Scene): Promise<string> {
  return device.defender.retire().then(() => 'retired', toldError);
}

function signIn({ customer, credentials }: Scene): Promise<string> {
  const { username, password } = credentials();
  return customer.signIn(username, password);
}
