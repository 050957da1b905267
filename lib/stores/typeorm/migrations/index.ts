import { CreateTabBreachTables1769904000000 } from './create-breach-tables.js';
import { CreateTabTables1767225600000 } from './create-tab-tables.js';
import { OrderTabUsedNonces1772323200000 } from './order-used-nonces.js';

export { CreateTabBreachTables1769904000000, CreateTabTables1767225600000, OrderTabUsedNonces1772323200000 };

/** The migrations of the stores, in order, for the `migrations` of the application's `DataSource`. */
export const TAB_MIGRATIONS: [
  typeof CreateTabTables1767225600000,
  typeof CreateTabBreachTables1769904000000,
  typeof OrderTabUsedNonces1772323200000,
] = [CreateTabTables1767225600000, CreateTabBreachTables1769904000000, OrderTabUsedNonces1772323200000];
