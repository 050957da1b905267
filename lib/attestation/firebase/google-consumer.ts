import { OptionChecks } from '../jose/option-checks.js';
import { googleService, type GoogleAccess } from '../jose/post-json.js';
import type { FirebaseConsumer } from './firebase.types.js';
import { reject } from './verify-app-check.js';

const SERVICE = 'https://firebaseappcheck.googleapis.com/v1beta';

/** Options of `googleConsumer`. */
export interface GoogleConsumerOptions extends GoogleAccess {
  /** The project's id. The service account of `accessToken` needs the role Firebase App Check Token Verifier in it. */
  readonly projectId: string;
}

/**
 * Consumes App Check tokens with Firebase (`projects.verifyAppCheckToken`, v1beta). A service that is slow, down, forbids
 * the call or answers nonsense is `store_unavailable`.
 *
 * @example firebaseAppCheck({ ..., consume: googleConsumer({ projectId: 'bank-prod', accessToken }) })
 * @throws TabConfigError when the options cannot work
 */
export function googleConsumer(options: GoogleConsumerOptions): FirebaseConsumer {
  const checks = new OptionChecks('googleConsumer');
  checks.object(options, '{ projectId, accessToken }');
  const project = checks.text(options.projectId, 'projectId', 'bank-prod');
  const post = googleService('Firebase App Check', options, 'googleConsumer');
  const url = `${SERVICE}/projects/${encodeURIComponent(project)}:verifyAppCheckToken`;
  return async (token) => {
    const answer = await post(url, { app_check_token: token });
    if (answer === undefined) return reject('consumed', 'Firebase does not take the token');
    // Absent at the first time; the attester refuses anything but a boolean.
    const { alreadyConsumed = false } = answer;
    return { alreadyConsumed: alreadyConsumed as boolean };
  };
}
