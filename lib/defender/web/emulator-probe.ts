import type { Probe, ProbeResult } from '../probe.js';

/** Renderers without a graphics card. */
const SOFTWARE =
  /swiftshader|llvmpipe|softpipe|microsoft basic render|software rasterizer|virtualbox|vmware|parallels/i;

/**
 * `emulator`: graphics are computed in software or by a virtual machine's card, as WebGL tells (`UNMASKED_RENDERER_WEBGL`).
 * People on remote desktops, in virtual machines, or with hardware acceleration off have that too, so it is not among the
 * default probes. Where there is no WebGL, or the browser hides the name, it is `unknown`.
 */
export function emulatorProbe(): Probe {
  let known: ProbeResult | undefined;
  // A page keeps its graphics for life, and a WebGL context is dear.
  return { name: 'emulator', run: () => (known ??= look()) };
}

function look(): ProbeResult {
  if (typeof document === 'undefined') return 'unknown';
  const gl = document.createElement('canvas').getContext('webgl');
  if (!gl) return 'unknown';
  const name = rendererOf(gl);
  // Contexts are few.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  if (name === '') return 'unknown';
  return SOFTWARE.test(name) ? 'found' : 'clear';
}

function rendererOf(gl: WebGLRenderingContext): string {
  const extension = gl.getExtension('WEBGL_debug_renderer_info');
  return extension ? String(gl.getParameter(extension.UNMASKED_RENDERER_WEBGL) ?? '') : '';
}
