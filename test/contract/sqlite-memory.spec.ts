import { engine } from './engines.js';
import { runContracts } from './typeorm-contract.js';

await runContracts(engine('SQLite in memory'));
