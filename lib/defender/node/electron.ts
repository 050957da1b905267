import type { Defender } from '../defender.js';
import type { KeyWrap } from './key-wrap.js';
import { nodeDefender, type NodeDefenderOptions } from './node-defender.js';

/**
 * The part of Electron's `safeStorage` that is used: the asynchronous functions where it has them (from Electron 42), else the
 * others (until Electron 45). The newer functions read what the older ones wrote.
 */
export interface SafeStorage {
  isAsyncEncryptionAvailable?(): Promise<boolean>;
  encryptStringAsync?(text: string): Promise<Uint8Array>;
  decryptStringAsync?(encrypted: Buffer): Promise<{ readonly result: string }>;
  isEncryptionAvailable?(): boolean;
  encryptString?(text: string): Uint8Array;
  decryptString?(encrypted: Buffer): string;
  /** Linux: which secret store is used. */
  getSelectedStorageBackend?(): string;
}

/** Options of the wrap. */
export interface ElectronSafeStorageOptions {
  /**
   * Accept Electron's fallback on Linux without a secret store, which encrypts with a password that everybody knows, so that
   * the mode of the file is all that protects the key. Default false.
   */
  readonly allowBasicText?: boolean;
  /** Default `process.platform`. */
  readonly platform?: string;
}

/** What Linux answers when nothing protects: the fallback, and before the app is ready. */
const NO_BACKEND: readonly string[] = ['basic_text', 'unknown'];

/**
 * Protects a key file by Electron's `safeStorage`: Keychain on macOS, DPAPI on Windows, a secret store on Linux. Pass the object
 * of the main process, and use the key store once the app is ready.
 * @throws TypeError when `safeStorage` has neither kind of function
 */
export function electronSafeStorage(safeStorage: SafeStorage, options: ElectronSafeStorageOptions = {}): KeyWrap {
  const { allowBasicText = false, platform = process.platform } = options;
  const functions = asynchronous(safeStorage) ?? synchronous(safeStorage);
  if (!functions) throw new TypeError("Defender option safeStorage: pass safeStorage of Electron's main process");
  const hasBackend = () => !NO_BACKEND.includes(safeStorage.getSelectedStorageBackend?.() ?? 'unknown');
  return {
    name: 'electron-safe-storage',
    isAvailable: async () =>
      (await functions.isAvailable()) && (platform !== 'linux' || allowBasicText || hasBackend()),
    encrypt: functions.encrypt,
    decrypt: functions.decrypt,
  };
}

/** Options of `electronDefender`. */
export interface ElectronDefenderOptions extends Omit<NodeDefenderOptions, 'wrap'>, ElectronSafeStorageOptions {
  readonly safeStorage: SafeStorage;
}

/** A Defender for Electron's main process: as `nodeDefender`, its key file protected by `safeStorage`. */
export function electronDefender(options: ElectronDefenderOptions): Defender {
  const { safeStorage, allowBasicText, platform, ...rest } = options;
  return nodeDefender({ ...rest, wrap: electronSafeStorage(safeStorage, { allowBasicText, platform }) });
}

type Functions = Omit<KeyWrap, 'name'>;

function asynchronous(storage: SafeStorage): Functions | undefined {
  const { isAsyncEncryptionAvailable, encryptStringAsync, decryptStringAsync } = storage;
  if (!isAsyncEncryptionAvailable || !encryptStringAsync || !decryptStringAsync) return undefined;
  return {
    isAvailable: () => isAsyncEncryptionAvailable.call(storage),
    encrypt: (text) => encryptStringAsync.call(storage, text),
    decrypt: async (bytes) => (await decryptStringAsync.call(storage, Buffer.from(bytes))).result,
  };
}

function synchronous(storage: SafeStorage): Functions | undefined {
  const { isEncryptionAvailable, encryptString, decryptString } = storage;
  if (!isEncryptionAvailable || !encryptString || !decryptString) return undefined;
  return {
    isAvailable: () => isEncryptionAvailable.call(storage),
    encrypt: (text) => encryptString.call(storage, text),
    decrypt: (bytes) => decryptString.call(storage, Buffer.from(bytes)),
  };
}
