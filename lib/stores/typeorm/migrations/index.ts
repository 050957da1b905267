import { CreateTabTables1767225600000 } from './create-tab-tables.js';

export { CreateTabTables1767225600000 };

/** The migrations of the stores, in order, for the `migrations` of the application's `DataSource`. */
export const TAB_MIGRATIONS: [typeof CreateTabTables1767225600000] = [CreateTabTables1767225600000];
