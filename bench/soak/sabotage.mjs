// Stores that are wrong, each in a way that has been seen. The harness must find every one of them out, or it finds nothing.

/** Their names. */
export const SABOTAGES = ['find-then-save', 'memory', 'retry', 'hasty-sweep'];

/** One in so many claims of `retry` is sent twice. */
const RETRIED = 200;
/** Seconds by which `hasty-sweep` is early. */
const HASTE = 240;

/** The store of the name; `raw` reads and writes a claim in two steps. */
export async function sabotaged(name, nonces, raw, { library, clock }) {
  if (name === 'memory') {
    const { memoryStores } = await import(new URL('index.js', library).href);
    return memoryStores({ clock }).nonces;
  }
  const wrong = {
    'find-then-save': {
      claim: async (key, expiresAt) => {
        if (await raw.find(key, expiresAt)) return false;
        await raw.save(key, expiresAt);
        return true;
      },
    },
    retry: {
      claim: async (key, expiresAt) => {
        const won = await nonces.claim(key, expiresAt);
        return Math.random() < 1 / RETRIED ? nonces.claim(key, expiresAt) : won;
      },
    },
    'hasty-sweep': { sweep: (now) => raw.forget(now + HASTE) },
  }[name];
  return {
    open: () => nonces.open?.(),
    claim: wrong.claim ?? ((key, expiresAt) => nonces.claim(key, expiresAt)),
    sweep: wrong.sweep ?? ((now, limit) => nonces.sweep(now, limit)),
    get volatility() {
      return nonces.volatility;
    },
  };
}
