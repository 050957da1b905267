export { typeOrmDecisions, type TypeOrmDecisionsOptions } from './typeorm-decisions.js';
export { TypeOrmDecisionStore } from './typeorm-decision-store.js';
export { DecisionRecord, TAB_DECISION_ENTITIES } from './decision-record.entity.js';
export { AddDecisionProof1772409600000 } from './add-decision-proof.js';
export { CreateTabDecision1767398400000, TAB_DECISION_MIGRATIONS } from './create-tab-decision.js';
