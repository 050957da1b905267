export {
  parseCertificate,
  parseChain,
  type Certificate,
  type CertificateCheck,
  type ChainLimits,
} from './certificate.js';
export {
  checkValidity,
  trustAnchor,
  verifyChain,
  type ChainCheck,
  type ChainOptions,
  type TrustAnchor,
  type VerifiedChain,
} from './chain.js';
export { rememberIssuers } from './known-issuers.js';
export type { CertificateExtension } from './extensions.js';
export { publicKeyOf, type PublicKeyCheck } from './public-key.js';
