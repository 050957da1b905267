import 'reflect-metadata';
import { formatDemo, runDemo } from './demo/run-demo.js';

try {
  const rows = await runDemo();
  console.log(formatDemo(rows));
  if (rows.length === 0 || rows.some((row) => !row.passed)) process.exitCode = 1;
} catch (error) {
  console.error('The demo could not be run:', error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
