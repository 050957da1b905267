import { AppInstance } from './app-instance.entity.js';
import { BlockedVersion } from './blocked-version.entity.js';
import { BoundSession } from './bound-session.entity.js';
import { InstanceBreach } from './instance-breach.entity.js';
import { UsedNonce } from './used-nonce.entity.js';

export { AppInstance, BlockedVersion, BoundSession, InstanceBreach, UsedNonce };

/** The entities of the stores, for the `entities` of the application's `DataSource`. */
export const TAB_ENTITIES: [
  typeof UsedNonce,
  typeof AppInstance,
  typeof BoundSession,
  typeof InstanceBreach,
  typeof BlockedVersion,
] = [UsedNonce, AppInstance, BoundSession, InstanceBreach, BlockedVersion];
