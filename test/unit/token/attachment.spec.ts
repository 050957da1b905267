import { describe, expect, it } from 'vitest';
import { Attachment } from '../../../lib/token/attachment.js';

describe('an attachment', () => {
  it('belongs to one object: neither to a copy of it nor to what inherits from it', () => {
    const attachment = new Attachment<object, string>();
    const owner = { url: '/' };
    attachment.set(owner, 'verified');
    expect(attachment.get(owner)).toBe('verified');
    const copies = [{ ...owner }, Object.assign({}, owner), Object.create(owner) as object, new Proxy(owner, {})];
    expect(copies.map((copy) => attachment.get(copy))).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('of one kind is none of another', () => {
    const [one, other] = [new Attachment<object, string>(), new Attachment<object, string>()];
    const owner = {};
    one.set(owner, 'one');
    expect(other.get(owner)).toBeUndefined();
  });

  it.each([
    ['frozen', Object.freeze({})],
    ['sealed', Object.seal({})],
  ])('can be had by a %s object', (_, owner) => {
    const attachment = new Attachment<object, string>();
    attachment.set(owner, 'value');
    expect([attachment.get(owner), attachment.get({})]).toEqual(['value', undefined]);
  });

  it('shows in nothing that goes by names', () => {
    const owner = { url: '/' };
    new Attachment<object, string>().set(owner, 'value');
    expect([JSON.stringify(owner), Object.keys(owner)]).toEqual(['{"url":"/"}', ['url']]);
  });

  it('is neither copied onto another object that has one, nor lost to a proxy', () => {
    const attachment = new Attachment<object, string>();
    const [one, other] = [{ a: 1 }, { b: 2 }];
    attachment.set(one, 'one');
    attachment.set(other, 'other');
    const proxy = new Proxy(one, {});
    attachment.set(proxy, 'proxy');
    Object.assign(other, one);
    expect([one, other, proxy].map((each) => attachment.get(each))).toEqual(['one', 'other', 'proxy']);
  });

  it('can be had by a proxy before its target has one, and by one that takes no member', () => {
    const attachment = new Attachment<object, string>();
    const target = {};
    const proxy = new Proxy(target, {});
    const closed = new Proxy({}, { defineProperty: () => false });
    const liar = new Proxy({}, { defineProperty: () => true });
    attachment.set(proxy, 'proxy');
    attachment.set(target, 'target');
    attachment.set(closed, 'closed');
    attachment.set(liar, 'liar');
    expect([proxy, target, closed, liar].map((each) => attachment.get(each))).toEqual([
      'proxy',
      'target',
      'closed',
      'liar',
    ]);
  });

  it('is not in the way of a proxy that wraps whatever is read through it', () => {
    const deep = (target: object): object =>
      new Proxy(target, {
        get: (from, name, receiver) => {
          const value: unknown = Reflect.get(from, name, receiver);
          return typeof value === 'object' && value !== null ? deep(value) : value;
        },
      });
    const attachment = new Attachment<object, string>();
    const target = {};
    attachment.set(target, 'target');
    const proxy = deep(target);
    expect(attachment.get(proxy)).toBeUndefined();
    attachment.set(proxy, 'proxy');
    expect([attachment.get(target), attachment.get(proxy)]).toEqual(['target', 'proxy']);
  });
});
