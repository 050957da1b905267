/**
 * The public error codes of the TAB protocol, each with its HTTP status and the title that a client may read.
 * The table is the contract (PROTOCOL section 7): what is not in it never leaves the server.
 */
export const TAB_ERROR_CODES = {
  missing_token: { status: 401, title: 'A TAB token is required' },
  malformed_token: { status: 401, title: 'The TAB token is malformed' },
  unsupported_alg: { status: 401, title: 'The signature algorithm is not allowed for this key' },
  stale_token: { status: 401, title: 'The TAB token is outside its time window' },
  request_mismatch: { status: 401, title: 'The TAB token was made for another request' },
  use_tab_nonce: { status: 401, title: 'A fresh server challenge is required' },
  unknown_instance: { status: 401, title: 'The app instance is not enrolled' },
  bad_signature: { status: 401, title: 'The signature does not verify' },
  invalid_session: { status: 401, title: 'The session is not valid for this request' },
  replayed_token: { status: 401, title: 'The TAB token has been used before' },
  step_up_required: { status: 401, title: 'This request needs stronger proof' },
  instance_suspended: { status: 403, title: 'The app instance is suspended' },
  instance_revoked: { status: 403, title: 'The app instance is revoked' },
  insufficient_trust: { status: 403, title: 'The runtime is not trusted enough for this request' },
  attestation_rejected: { status: 403, title: 'The enrolment evidence was not accepted' },
  rate_limited: { status: 429, title: 'Too many requests' },
  store_unavailable: { status: 503, title: 'Trust cannot be verified right now' },
} as const;

/** One of the codes of PROTOCOL section 7, as sent in `TAB-Error` and in the problem document. */
export type TabErrorCode = keyof typeof TAB_ERROR_CODES;
