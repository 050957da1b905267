import type { Probe, ProbeResult } from '../probe.js';
import { processFacts, type ProcessFacts } from './process-facts.js';

/** Options of the emulator probe. */
export interface EmulatorProbeOptions {
  /** Whether a container counts; default true. */
  readonly containers?: boolean;
  /** Whether a virtual machine counts; default true. */
  readonly hypervisors?: boolean;
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

const CONTAINER_FILES = ['/.dockerenv', '/run/.containerenv', '/run/systemd/container'];
const CONTAINER_GROUP = /docker|containerd|kubepods|libpod|lxc|garden|buildkit/i;
const MACHINE_FILES = [
  '/sys/class/dmi/id/sys_vendor',
  '/sys/class/dmi/id/product_name',
  '/sys/class/dmi/id/board_vendor',
];
const MACHINE_NAMES =
  /qemu|kvm|bochs|bhyve|firecracker|vmware|virtualbox|innotek|parallels|xen|openstack|hvm domu|virtual machine|amazon ec2|google compute|alibaba cloud ecs|droplet/i;

/**
 * `emulator`: the process runs in a container or in a virtual machine, as far as these say so themselves. Linux only; elsewhere
 * `unknown`. Not among the default probes: servers mostly run so.
 */
export function emulatorProbe(options: EmulatorProbeOptions = {}): Probe {
  const { containers = true, hypervisors = true } = options;
  const facts = processFacts(options.facts);
  return { name: 'emulator', run: () => look(facts, containers, hypervisors) };
}

async function look(facts: ProcessFacts, containers: boolean, hypervisors: boolean): Promise<ProbeResult> {
  if (facts.platform !== 'linux') return 'unknown';
  const answers = [...(containers ? [await inContainer(facts)] : []), ...(hypervisors ? [await inMachine(facts)] : [])];
  if (answers.includes(true)) return 'found';
  return answers.length === 0 || answers.includes(undefined) ? 'unknown' : 'clear';
}

/** Undefined where `/proc` does not tell. */
async function inContainer(facts: ProcessFacts): Promise<boolean | undefined> {
  const marks = await Promise.all(CONTAINER_FILES.map((path) => facts.read(path, true)));
  if (marks.some((mark) => mark !== undefined)) return true;
  const groups = await facts.read('/proc/1/cgroup', true);
  return groups === undefined ? undefined : CONTAINER_GROUP.test(groups);
}

/** Undefined where neither processor nor firmware tells: the flag is one of x86, the names need DMI. */
async function inMachine(facts: ProcessFacts): Promise<boolean | undefined> {
  const processor = await facts.read('/proc/cpuinfo', true);
  const flags = /^flags\s*:(.*)$/m.exec(processor ?? '')?.[1];
  if (flags?.split(/\s+/).includes('hypervisor')) return true;
  const names = (await Promise.all(MACHINE_FILES.map((path) => facts.read(path, true)))).filter(
    (name) => name !== undefined,
  );
  if (names.some((name) => MACHINE_NAMES.test(name))) return true;
  return flags === undefined && names.length === 0 ? undefined : false;
}
