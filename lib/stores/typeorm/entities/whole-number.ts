import type { ValueTransformer } from 'typeorm';

/** 64-bit integers come back from some drivers as strings; ours are times, far below 2^53. */
export const wholeNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (raw: unknown) => (raw === null || raw === undefined ? raw : Number(raw)),
};
