import 'reflect-metadata';
import { createBankApp } from './bank-app.js';
import { readConfig, readPort, type BankConfig } from './config.js';
import { findFreePort } from './free-port.js';
import { BANK_APP } from './tab-options.js';

async function main(): Promise<void> {
  const config = readConfig(
    process.env,
    readPort(process.env['PORT']) || (await findFreePort()),
    process.argv.slice(2),
  );
  const app = await createBankApp(config, { logger: ['warn', 'error', 'fatal'] });
  app.enableShutdownHooks();
  await app.listen(config.port);
  console.log(welcome(config));
}

function welcome({ port, origins, notes, operatorKey, lab }: BankConfig): string {
  const url = `http://localhost:${port}`;
  return [
    '',
    `The bank listens on ${url} (origins: ${origins.join(', ')}).`,
    ...notes.map((note) => `  note: ${note}`),
    '',
    `App ${BANK_APP.id}, platform ${BANK_APP.platform}, version ${BANK_APP.minVersion} or later; users alice / alice-secret and bob / bob-secret.`,
    'What to do next:',
    ...(lab === undefined
      ? [
          '  --lab on the command line                                the attack lab, a page in the browser; never in production',
        ]
      : [`  open ${url} in a browser                         the attack lab: be a customer, then attack the bank`]),
    `  curl -i ${url}/health                            open: 200`,
    `  curl -i ${url}/accounts                          no TAB token: 401 missing_token`,
    `  curl -s ${url}/.well-known/tab-configuration     what a client needs to know`,
    ...operatorHint(url, operatorKey),
    '  npm run demo                                             an honest client, and what becomes of others',
    'Ctrl-C ends it.',
    '',
  ].join('\n');
}

/** The key itself stays where it was written. */
function operatorHint(url: string, operatorKey: string | undefined): string[] {
  if (operatorKey === undefined) return [];
  return [`  curl -H "Authorization: Operator $OPERATOR_KEY" ${url}/operator/decisions`];
}

main().catch((error: unknown) => {
  console.error(`The bank did not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
