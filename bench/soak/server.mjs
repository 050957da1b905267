// In a worker: the Nest application with its guarded route, on Express or Fastify. Its sweeper runs all the time.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { APP, ORIGIN, TARGET, TOKEN_LIFETIME } from './tab-app.mjs';

/** Milliseconds between two sweeps. */
const SWEEP_INTERVAL = 250;

/** Starts the application; resolves to its port, and how to end it. */
export async function startServer({ library, worker, secret }, stores, clock) {
  const { RequireTrust, TabModule } = await import(new URL('index.js', library).href);
  const tab = TabModule.forRoot({
    origins: ORIGIN,
    secrets: [secret],
    stores,
    clock,
    sweepInterval: SWEEP_INTERVAL,
    challengeLifetime: 3600,
    apps: [{ id: APP.id, platform: APP.platform, allowUnattested: true }],
    token: { lifetime: TOKEN_LIFETIME, tolerance: 15 },
    limits: { enrolmentsPerMinute: 1_000_000, challengesPerMinute: 1_000_000 },
  });
  class Root {}
  Module({ imports: [tab], controllers: [openController(RequireTrust)] })(Root);
  const adapter = worker < 2 ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(Root, adapter, { rawBody: true, logger: ['error'] });
  // A connection that is closed for being idle looks like one that broke.
  app.getHttpServer().keepAliveTimeout = 600_000;
  await app.listen(0, '127.0.0.1');
  return { port: app.getHttpServer().address().port, close: () => app.close() };
}

/** A controller; its decorators are written as calls. */
function openController(RequireTrust) {
  class OpenController {
    read() {
      return { handler: 'read' };
    }
  }
  const method = Object.getOwnPropertyDescriptor(OpenController.prototype, 'read');
  RequireTrust({ session: 'none' })(OpenController.prototype, 'read', method);
  Get(TARGET)(OpenController.prototype, 'read', method);
  Controller()(OpenController);
  return OpenController;
}
