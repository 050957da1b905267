// What the parties of the benchmark agree on: the application, its address, its routes.
export const ORIGIN = 'http://localhost:8080';
export const AUTHORITY = 'localhost:8080';
export const ISSUER = 'https://issuer.example.com';
export const AUDIENCE = 'https://api.example.com';
export const PROBES = ['root', 'hooking', 'debugger', 'tamper', 'emulator', 'automation'];
export const APP = { id: 'com.example.bank', ver: '3.4.5' };
/** Proof keys are derived from it, on both sides. */
export const SECRET = 'a secret of the benchmark, at least thirty-two octets';
export const ACCOUNTS = '/accounts';
export const TRANSFERS = '/transfers';
