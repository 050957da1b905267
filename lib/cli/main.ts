#!/usr/bin/env node
import { run } from './run.js';

// Not process.exit: what was written to a pipe would be cut off.
process.exitCode = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
