import { describe, expect, it } from 'vitest';
import { decodeRow, encodeRow, integer, nullable, text, word } from '../../../lib/stores/typeorm/rows/column.js';
import { BREACH, clipReason, INSTANCE, SESSION } from '../../../lib/stores/typeorm/rows/shapes.js';
import { aBreach, anInstance, aSession } from './factories.js';

describe('columns', () => {
  it('read 64-bit integers as the drivers give them', () => {
    expect(['1800000000', 1_800_000_000, 1_800_000_000n].map((raw) => integer.decode(raw))).toEqual(
      Array(3).fill(1_800_000_000),
    );
  });

  it.each(['', '1.5', 'x', '9007199254740993', null, undefined, Number.NaN, 2 ** 53])(
    'take %o for no integer',
    (raw) => {
      expect(() => integer.decode(raw)).toThrow(RangeError);
    },
  );

  it('refuse words they do not know and texts that do not fit', () => {
    expect(() => word(['active']).decode('ACTIVE')).toThrow(RangeError);
    expect(() => text(3).encode('four')).toThrow(RangeError);
    expect(() => text(3).encode(undefined)).toThrow(RangeError);
    expect(nullable(text(3)).encode(undefined)).toBeNull();
  });

  it('an unknown status in the table is an error, never an active instance', () => {
    const values = encodeRow(INSTANCE, anInstance());
    const row = Object.fromEntries(INSTANCE.columns.map(({ name }, index) => [`i_${name}`, values[index]]));
    expect(decodeRow(INSTANCE, row, 'i_').status).toBe('active');
    expect(() => decodeRow(INSTANCE, { ...row, i_status: 'paused' }, 'i_')).toThrow(/^status: /);
    expect(() => decodeRow(INSTANCE, { ...row, i_suspended_by: null }, 'i_')).toThrow(/^suspendedBy: /);
  });

  it('an unknown action in the table is an error, never another one', () => {
    const values = encodeRow(BREACH, aBreach());
    const row = Object.fromEntries(BREACH.columns.map(({ name }, index) => [`x_${name}`, values[index]]));
    expect(decodeRow(BREACH, row, 'x_').action).toBe('suspend');
    expect(() => decodeRow(BREACH, { ...row, x_action: 'ignore' }, 'x_')).toThrow(/^action: /);
  });

  it('name the property that does not fit, without its value', () => {
    const session = aSession(anInstance(), { subject: 's3cret'.repeat(100) });
    expect(() => encodeRow(SESSION, session)).toThrow(/^subject: a text is longer than 255 characters$/);
  });

  it('clip reasons without breaking characters', () => {
    expect(clipReason('short')).toBe('short');
    const clipped = clipReason('𝒳'.repeat(300));
    expect(clipped.length).toBeLessThanOrEqual(200);
    expect(clipped).toBe('𝒳'.repeat(100));
    expect(Buffer.from(clipped, 'utf8').toString('utf8')).toBe(clipped);
  });
});
