import { AppInstance } from './app-instance.entity.js';
import { BoundSession } from './bound-session.entity.js';
import { UsedNonce } from './used-nonce.entity.js';

export { AppInstance, BoundSession, UsedNonce };

/** The entities of the stores, for the `entities` of the application's `DataSource`. */
export const TAB_ENTITIES: [typeof UsedNonce, typeof AppInstance, typeof BoundSession] = [
  UsedNonce,
  AppInstance,
  BoundSession,
];
