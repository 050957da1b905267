import { CreateTabBreachTables1769904000000 } from './create-breach-tables.js';
import { CreateTabTables1767225600000 } from './create-tab-tables.js';

export { CreateTabBreachTables1769904000000, CreateTabTables1767225600000 };

/** The migrations of the stores, in order, for the `migrations` of the application's `DataSource`. */
export const TAB_MIGRATIONS: [typeof CreateTabTables1767225600000, typeof CreateTabBreachTables1769904000000] = [
  CreateTabTables1767225600000,
  CreateTabBreachTables1769904000000,
];
