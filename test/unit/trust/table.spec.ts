import { describe, expect, it } from 'vitest';
import { anApp, outcomeOf, requiring, World } from '../../utils/core/index.js';
import { EVIDENCE, evidenceOf, LEGEND, POLICIES, STATES, TABLES } from './table.js';

type Cell = keyof typeof LEGEND;

/** A grid as it is written: the names of its columns, and the cells of each row. */
function readGrid(text: string): { columns: string[]; rows: Map<string, Cell[]> } {
  const [head = [], ...lines] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  return { columns: head, rows: new Map(lines.map(([name = '', ...cells]) => [name, cells.map(cellOf)])) };
}

const cellOf = (text: string): Cell => text.padEnd(3) as Cell;

/** Verifies a request of an instance in this state, and says what came of it in the words of the legend. */
async function cellFor(policy: string, evidence: string, column: string): Promise<object> {
  const state = STATES[column] as (typeof STATES)[string];
  const app = anApp({ suspendOn: [], minVersion: '1.2.0' });
  const world = await new World({ apps: new Map([[app.id, app]]) }).enrol(undefined, state.instance);
  const { bindings } = world.settings;
  if (state.blocked !== undefined) {
    await bindings.blockVersions({ appId: app.id, range: state.blocked, reason: 'x', at: 1 });
  }
  const claims = { rt: evidenceOf(evidence), app: { id: app.id, ver: state.version ?? '1.4.0' } };
  const requirement = requiring(POLICIES[policy]);
  const verification = await world.verify({ token: { claims } }, requirement);
  const { decision } = verification;
  // The record, the context and the store say the same.
  expect(decision.enforced).toBe(requirement.mode === 'enforce');
  expect((await bindings.findBreaches({})).map(({ action }) => action)).toEqual(
    decision.action ? [decision.action] : [],
  );
  if (verification.accepted) expect(verification.context.flags).toEqual(decision.flags);
  const { instance } = await bindings.load({ instanceId: world.key.id });
  return {
    outcome: outcomeOf(verification),
    status: instance?.status,
    ...(decision.action && { action: decision.action }),
    ...(verification.accepted && { flagged: decision.flags.length > 0, watched: decision.watched.length > 0 }),
  };
}

describe('policy × evidence × binding state', () => {
  const grids = Object.entries(TABLES).map(([policy, text]) => ({ policy, ...readGrid(text) }));

  it('has every cell', () => {
    expect(grids.map(({ policy }) => policy)).toEqual(Object.keys(POLICIES));
    for (const { columns, rows } of grids) {
      expect(columns).toEqual(Object.keys(STATES));
      expect([...rows.keys()]).toEqual(Object.keys(EVIDENCE));
      for (const cells of rows.values()) {
        expect(cells).toHaveLength(columns.length);
        expect(Object.keys(LEGEND)).toEqual(expect.arrayContaining(cells));
      }
    }
    expect(grids.length * Object.keys(EVIDENCE).length * Object.keys(STATES).length).toBeGreaterThanOrEqual(300);
  });

  describe.each(grids)('$policy', ({ policy, columns, rows }) => {
    it.each([...rows])('%s', async (evidence, cells) => {
      const expected = Object.fromEntries(columns.map((column, i) => [column, LEGEND[cells[i] as Cell]]));
      const actual = Object.fromEntries(
        await Promise.all(columns.map(async (column) => [column, await cellFor(policy, evidence, column)])),
      ) as object;
      expect(actual).toEqual(expected);
    });
  });
});
