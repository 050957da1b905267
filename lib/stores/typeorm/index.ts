export { typeOrmStores, type TypeOrmStoresOptions } from './typeorm-stores.js';
export { TypeOrmNonceStore } from './typeorm-nonce-store.js';
export { TypeOrmBindingStore } from './typeorm-binding-store.js';
export {
  AppInstance,
  BlockedVersion,
  BoundSession,
  InstanceBreach,
  UsedNonce,
  TAB_ENTITIES,
} from './entities/index.js';
export {
  CreateTabBreachTables1769904000000,
  CreateTabTables1767225600000,
  OrderTabUsedNonces1772323200000,
  TAB_MIGRATIONS,
} from './migrations/index.js';
export {
  DecisionRecord,
  TAB_DECISION_ENTITIES,
  TAB_DECISION_MIGRATIONS,
  typeOrmDecisions,
  TypeOrmDecisionStore,
  type TypeOrmDecisionsOptions,
} from './decisions/index.js';
