import { createServer, type AddressInfo } from 'node:net';

/** A port of loopback that was free a moment ago. Origins name the port, so it has to be known before the bank starts. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
