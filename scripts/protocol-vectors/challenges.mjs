// Challenges as this implementation makes them: 48 octets, authenticated by a key derived from the secret.
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { fixedOctets, idOf, NOW } from './crypto.mjs';
import { aCase, aStep, SECRET } from './server.mjs';

const KIND = { enrol: 1, request: 2, instance: 3 };

/** version 1 | kind 1 | secret id 4 | issued at 6 | lifetime 2 | random 18 | MAC 16 */
export function aChallenge(
  label,
  { kind = 'request', issuedAt = NOW - 5, instance = '', secret = SECRET, change } = {},
) {
  const head = Buffer.alloc(32);
  head[0] = 1;
  head[1] = KIND[kind];
  createHash('sha256').update('tab-secret-id').update(secret).digest().copy(head, 2, 0, 4);
  head.writeUIntBE(issuedAt, 6, 6);
  head.writeUInt16BE(300, 12);
  fixedOctets(`random of ${label}`, 18).copy(head, 14);
  const key = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'tab-challenge-v1\0', 32));
  const mac = createHmac('sha256', key).update(head).update(instance).digest().subarray(0, 16);
  const octets = Buffer.concat([head, mac]);
  change?.(octets);
  return octets.toString('base64url');
}

const RECENT = { challenge: 'recent' };
const SINGLE_USE = { challenge: 'single-use' };

const withNonce = (name, expect, nonce, policy = RECENT) => aCase(name, expect, { policy, claims: { nonce } });

export function challengeCases() {
  const once = aChallenge('single use');
  const shared = aChallenge('shared');
  const step = (name, expect, nonce, more = {}) => aStep(name, expect, { claims: { nonce }, ...more });
  return [
    withNonce('a challenge for anybody', 'accepted', aChallenge('anybody')),
    withNonce(
      'a challenge for this instance',
      'accepted',
      aChallenge('own', { kind: 'instance', instance: idOf('instance') }),
    ),
    withNonce('a challenge in its last second', 'accepted', aChallenge('last', { issuedAt: NOW - 299 })),
    withNonce(
      'a challenge by a node whose clock is 15 s ahead',
      'accepted',
      aChallenge('ahead', { issuedAt: NOW + 15 }),
    ),
    withNonce('no challenge', 'use_tab_nonce', undefined),
    withNonce('an empty challenge', 'use_tab_nonce', ''),
    withNonce('text that is no challenge', 'use_tab_nonce', 'not-a-challenge-of-this-server'),
    withNonce('an expired challenge', 'use_tab_nonce', aChallenge('expired', { issuedAt: NOW - 300 })),
    withNonce('a challenge from the future', 'use_tab_nonce', aChallenge('future', { issuedAt: NOW + 16 })),
    withNonce('a challenge for enrolment', 'use_tab_nonce', aChallenge('enrol', { kind: 'enrol' })),
    withNonce(
      'a challenge for another instance',
      'use_tab_nonce',
      aChallenge('other', { kind: 'instance', instance: idOf('otherInstance') }),
    ),
    withNonce(
      'a challenge of an instance made one for anybody',
      'use_tab_nonce',
      aChallenge('freed', { kind: 'instance', instance: idOf('otherInstance'), change: (octets) => (octets[1] = 2) }),
    ),
    withNonce(
      'a challenge by another secret',
      'use_tab_nonce',
      aChallenge('secret', { secret: 'another secret of 32 octets and more' }),
    ),
    withNonce(
      'a challenge with a longer life written into it',
      'use_tab_nonce',
      aChallenge('longer', { change: (octets) => octets.writeUInt16BE(3000, 12) }),
    ),
    withNonce(
      'a challenge with a changed MAC',
      'use_tab_nonce',
      aChallenge('mac', { change: (octets) => (octets[47] ^= 1) }),
    ),
    withNonce('a challenge with an octet more', 'use_tab_nonce', `${aChallenge('more')}AA`),
    {
      name: 'a challenge is good for many requests',
      policy: RECENT,
      steps: [step('shared, first', 'accepted', shared), step('shared, second', 'accepted', shared)],
    },
    {
      name: 'a single-use challenge is good for one request',
      policy: SINGLE_USE,
      steps: [step('once, first', 'accepted', once), step('once, second', 'use_tab_nonce', once)],
    },
    {
      name: 'a single-use challenge is not spent by a token that does not verify',
      policy: SINGLE_USE,
      steps: [
        step('unspent, first', 'bad_signature', aChallenge('unspent'), { signature: () => Buffer.alloc(64, 1) }),
        step('unspent, second', 'accepted', aChallenge('unspent')),
      ],
    },
  ];
}
