// A server of `guarded-stores`, in a process of its own: node server.mjs <kind of stores>.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Controller, Get } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { RequireTrust, TabModule } from '../../dist/index.js';
import { answer } from './child.mjs';
import { APP, credentialOf, digest, idOf, ORIGIN, sidOf } from './facts.mjs';
import { STORES } from './stores.mjs';

/** Instances that send nothing, and only fill the tables. */
const OTHERS = 4000;

/** A controller; its decorators are written as calls. */
function accounts() {
  class Accounts {
    list() {
      return { accounts: [{ iban: 'DE02120300000000202051', balance: '1250.00' }] };
    }
  }
  const method = Object.getOwnPropertyDescriptor(Accounts.prototype, 'list');
  RequireTrust()(Accounts.prototype, 'list', method);
  Get('accounts')(Accounts.prototype, 'list', method);
  Controller()(Accounts);
  return Accounts;
}

/** The application on one kind of stores. */
async function serve(kind) {
  const { stores, close } = await STORES[kind]();
  class Root {}
  const tab = TabModule.forRoot({ origins: ORIGIN, apps: [APP], stores, secrets: [randomBytes(32)] });
  const root = { module: Root, imports: [tab], controllers: [accounts()] };
  const app = await NestFactory.create(root, new FastifyAdapter(), {
    logger: false,
    abortOnError: false,
    rawBody: true,
  });
  await app.listen(0, '127.0.0.1');
  let cpu = process.cpuUsage();
  const calls = {
    enrol: async ({ jwks }) => {
      const others = Array.from({ length: OTHERS }, () => ({ ...jwks[0], x: randomBytes(32).toString('base64url') }));
      for (const jwk of [...jwks, ...others]) await enrol(stores.bindings, jwk);
      return { port: app.getHttpServer().address().port };
    },
    /** Microseconds of processor time since the last call. */
    cpu: async () => {
      const { user, system } = process.cpuUsage(cpu);
      cpu = process.cpuUsage();
      return { spent: user + system };
    },
  };
  answer(calls, async () => {
    await app.close();
    await close();
  });
}

async function enrol(bindings, jwk) {
  const now = Math.floor(Date.now() / 1000);
  const id = idOf(jwk);
  const attestation = { format: 'android-key', attestedAt: now, attestationExpiresAt: now + 86_400 };
  const status = { status: 'active', statusReason: null, statusAt: now, suspendedBy: [] };
  const instance = { id, appId: APP.id, appVersion: '1.0.0', platform: APP.platform, algorithm: 'ES256' };
  const claims = { keyBound: true, model: 'Pixel 9', patchLevel: 202_601 };
  await bindings.saveInstance({
    ...instance,
    publicKey: jwk,
    ...status,
    assurance: 'tee',
    ...attestation,
    attestationClaims: claims,
    createdAt: now,
    revision: 1,
  });
  const credential = {
    credentialHash: digest(credentialOf(id)),
    previousCredentialHash: null,
    previousValidUntil: null,
  };
  const life = { createdAt: now, expiresAt: now + 86_400, endedAt: null, endReason: null };
  await bindings.bind({ id: sidOf(id), instanceId: id, subject: `user of ${id}`, ...credential, ...life });
}

await serve(process.argv[2]);
