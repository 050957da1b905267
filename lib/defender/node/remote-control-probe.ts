import type { Probe, ProbeResult } from '../probe.js';
import { processFacts, type ProcessFacts } from './process-facts.js';
import { processStart } from './process-start.js';
import { words } from './words.js';

/** Options of the remote-control probe. */
export interface RemoteControlProbeOptions {
  /** Names of programs that do not count, as `/proc/<pid>/comm` has them; default none. */
  readonly allow?: readonly string[];
  /** Whether a process started from an SSH session counts; default false. */
  readonly ssh?: boolean;
  /** The process to look at; default this one. */
  readonly facts?: Partial<ProcessFacts>;
}

/**
 * Servers that let somebody elsewhere see and use this screen; comm(5) keeps 15 characters of a name. Without
 * `gnome-remote-desktop-daemon`, which GNOME also runs where sharing is off.
 */
const SERVERS = new Set(
  words(`x11vnc x0vncserver x0tigervncserver Xvnc Xtigervnc Xtightvnc Xrealvnc vncserver wayvnc vncserver-x11
    vncserver-x11-core vncserver-virtual vino-server krfb krdpserver xrdp xrdp-sesman xrdp-chansrv weston-rdp
    teamviewerd TeamViewer TeamViewer_Desktop anydesk rustdesk hoptodesk nxserver.bin
    nxnode.bin nxd x2goagent x2gostartagent chrome-remote-desktop chrome-remote-desktop-host remoting_me2me_host
    SRStreamer dwagsvc dwagent meshagent parsecd sunshine ToDesk todeskd sunloginclient AnyViewer aweray_remote`).map(
    (name) => name.slice(0, 15),
  ),
);

/**
 * `remote-control`: a remote desktop server is running, by the names of the processes that `/proc` shows, or this process sits
 * in a Remote Desktop session (Windows). Elsewhere processes cannot be listed, which is `unknown`.
 */
export function remoteControlProbe(options: RemoteControlProbeOptions = {}): Probe {
  const facts = processFacts(options.facts);
  const allowed = new Set(options.allow);
  return { name: 'remote-control', run: (signal) => look(facts, allowed, options.ssh === true, signal) };
}

async function look(
  facts: ProcessFacts,
  allowed: ReadonlySet<string>,
  ssh: boolean,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const { values } = await processStart(facts);
  if (ssh && [...values('SSH_CONNECTION'), ...values('SSH_TTY')].length > 0) return 'found';
  if (facts.platform === 'win32' && values('SESSIONNAME').some((name) => /^RDP-/i.test(name))) return 'found';
  if (facts.platform !== 'linux') return 'unknown';
  const names = await facts.processes(signal);
  // A list without a single process is not a list.
  if (names.length === 0) return 'unknown';
  return names.some((name) => SERVERS.has(name) && !allowed.has(name)) ? 'found' : 'clear';
}
