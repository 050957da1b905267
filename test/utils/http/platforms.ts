import type { INestApplication } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';

/** A framework beneath Nest, and what is done differently on it. */
export interface Platform {
  readonly name: 'express' | 'fastify';
  /** @param trustProxy whether `X-Forwarded-*` is believed */
  adapter(trustProxy: boolean): AbstractHttpAdapter;
  /** Registers a parser that keeps the octets of a media type. */
  keepOctets(app: INestApplication, mediaType: string, limit?: number): void;
}

const express: Platform = {
  name: 'express',
  adapter(trustProxy) {
    const adapter = new ExpressAdapter();
    adapter.set('trust proxy', trustProxy);
    return adapter;
  },
  keepOctets(app, mediaType, limit = 1_000_000) {
    const type = mediaType === 'application/json' ? 'json' : 'raw';
    (app as NestExpressApplication).useBodyParser(type, { type: mediaType, limit });
  },
};

const fastify: Platform = {
  name: 'fastify',
  adapter: (trustProxy) => new FastifyAdapter({ trustProxy }),
  keepOctets(app, mediaType, limit = 1_000_000) {
    (app as NestFastifyApplication).useBodyParser(mediaType, { bodyLimit: limit });
  },
};

/** Every HTTP spec runs on each of these. */
export const PLATFORMS: readonly Platform[] = [express, fastify];
