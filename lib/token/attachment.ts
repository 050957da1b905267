/** What is attached, and to which object: a copy of the object, or what inherits from it, is another one. */
interface Held<V> {
  readonly owner: object;
  readonly value: V;
}

/**
 * A value that belongs to an object of somebody else and lives as long as it. What a weak map does, as a member of the
 * object itself where it can take one: entries of weak maps are dear to the garbage collector, and every request makes some.
 */
export class Attachment<K extends object, V> {
  readonly #name = Symbol('tab');
  readonly #others = new WeakMap<K, V>();

  /** The value of this very object. */
  get(owner: K): V | undefined {
    const held = (owner as Record<symbol, Held<V> | undefined>)[this.#name];
    return held?.owner === owner ? held.value : this.#others.get(owner);
  }

  /**
   * Gives an object its value, once. The member is not seen by what copies or prints objects; where it cannot be made, or is
   * that of another object (of the target of a proxy), a weak map has the value. Configurable, since a proxy may show what
   * is not as it likes (ECMA-262 section 10.5.8).
   */
  set(owner: K, value: V): void {
    const held: Held<V> = { owner, value };
    if (!(this.#name in owner)) Reflect.defineProperty(owner, this.#name, { value: held, configurable: true });
    if (this.get(owner) !== value) this.#others.set(owner, value);
  }
}
