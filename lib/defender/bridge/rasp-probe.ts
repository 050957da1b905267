import { PROBE_NAME, type Probe } from '../probe.js';

/** A RASP library: it tells what it found, and perhaps when it has looked for everything. */
export interface RaspSource {
  /** Calls `listener` with the library's own name of a threat, whenever it finds one. */
  onThreat(listener: (name: string) => void): void;
  /** Calls `listener` when every check has been made once. Absent: nothing is ever clear. */
  onChecked?(listener: () => void): void;
  /** The library's names that it really checks: in this version, on this platform, as configured. */
  readonly supported: readonly string[];
}

/** How a library's names become names of PROTOCOL section 3. */
export interface RaspMapping {
  /** `[a-z0-9]+`; a name that is not in `threats` becomes `x-<vendor>-<name>`. */
  readonly vendor: string;
  readonly threats: Readonly<Record<string, string>>;
}

/**
 * What a RASP library tells, as one probe. A threat once found stays found until the process ends, since such libraries do not
 * tell when it is over. It is clear when the library has made all its checks, among them every one that the mapping has for
 * this threat, and none of them found it; until then it was not checked. The evidence has the time of the run, not that of the
 * library's checks, which may have been made when the app was started.
 * @throws TypeError when the mapping cannot work
 */
export function raspProbe(source: RaspSource, mapping: RaspMapping): Probe {
  checkMapping(mapping);
  const unnamed = `x-${mapping.vendor}-unnamed`;
  const found = new Set<string>();
  let checked = false;
  source.onThreat((name) => found.add(threatOf(name, mapping) ?? unnamed));
  source.onChecked?.(() => (checked = true));
  const covered = coveredBy(source.supported, mapping);
  return {
    name: unnamed,
    run: () => ({ found: [...found], clear: checked ? covered.filter((name) => !found.has(name)) : [] }),
  };
}

/** The threats of which every check is supported. */
function coveredBy(supported: readonly string[], mapping: RaspMapping): readonly string[] {
  const open = Object.keys(mapping.threats).filter((name) => !supported.includes(name));
  const missed = new Set(open.map((name) => threatOf(name, mapping)));
  const threats = supported.flatMap((name) => threatOf(name, mapping) ?? []);
  return [...new Set(threats)].filter((threat) => !missed.has(threat));
}

/** The protocol's name, or the vendor's own in kebab case; undefined when that is no name. */
function threatOf(name: unknown, { vendor, threats }: RaspMapping): string | undefined {
  if (typeof name !== 'string') return undefined;
  if (Object.hasOwn(threats, name)) return threats[name];
  const kebab = name.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
  return [`x-${vendor}-${kebab}`].find((own) => /[a-z0-9]/.test(kebab) && PROBE_NAME.test(own));
}

function checkMapping({ vendor, threats }: RaspMapping): void {
  if (!/^[a-z0-9]{1,32}$/.test(vendor)) throw new TypeError('RASP mapping vendor: write 1 to 32 of a-z and 0-9');
  const bad = Object.values(threats).find((name) => !PROBE_NAME.test(name));
  if (bad !== undefined) throw new TypeError('RASP mapping threats: write names of a-z 0-9 and -');
}
