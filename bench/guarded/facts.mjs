// What the servers and the load of `guarded-stores` have to agree on.
import { createHash } from 'node:crypto';

/** Requests of one slice; the servers take turns, slice by slice. */
export const REQUESTS = 4000;
export const APP = {
  id: 'com.example.bank',
  platform: 'android',
  probes: ['root', 'hooking', 'debugger'],
  allowUnattested: true,
};
export const ORIGIN = 'http://127.0.0.1:8080';

export const digest = (text) => createHash('sha256').update(text).digest('base64url');
export const idOf = ({ crv, kty, x, y }) => digest(JSON.stringify({ crv, kty, x, y }));
export const sidOf = (id) => digest(`session of ${id}`);
export const credentialOf = (id) => `access-token-of-${id}`;
