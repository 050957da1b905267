import { redisScript, type RedisScript } from '../client/redis-script.js';
import type { BindingKey } from './binding-keys.js';

/** A script with the keys that it uses, the first of which tells a cluster where to run it. */
export interface BindingScript {
  readonly keys: readonly [BindingKey, ...BindingKey[]];
  readonly script: RedisScript;
}

/** Makes a script in which each key is a variable of its name. */
export function bindingScript(keys: BindingScript['keys'], ...parts: readonly string[]): BindingScript {
  const names = keys.map((_key, index) => `KEYS[${index + 1}]`);
  return { keys, script: redisScript(`local ${keys.join(', ')} = ${names.join(', ')}\n${parts.join('\n')}`) };
}

/**
 * Rows are lines of text (see `rows.ts`), so that a script can change one and leave the others octet by octet as they are:
 * Lua would round large numbers and turn empty lists into objects. A row of another number of lines stops the script.
 */
export const ROWS = `
local function split(text, size)
  local row = {}
  for line in string.gmatch(text .. '\\n', '(.-)\\n') do row[#row + 1] = line end
  if #row ~= size then error('a row is not as it was written') end
  return row
end
local function read(hash, id, size)
  local text = redis.call('HGET', hash, id)
  return text and split(text, size)
end
local function write(hash, id, row)
  redis.call('HSET', hash, id, table.concat(row, '\\n'))
end
local function beginningWith(index, prefix, ...)
  return redis.call('ZRANGEBYLEX', index, '[' .. prefix .. ' ', '(' .. prefix .. '!', ...)
end
`;

/** Uses `instances`, `apps`, `listed`, `idle`, `ofInstance`. */
export const LISTING = `
local function unlist(id, row)
  redis.call('ZREM', listed, row[8] .. ' ' .. row[2] .. ' ' .. id)
  redis.call('ZREM', idle, id)
end
local function list(id, row)
  redis.call('SADD', apps, row[8])
  redis.call('ZADD', listed, 0, row[8] .. ' ' .. row[2] .. ' ' .. id)
  local unattested = row[6] == 'none' and row[2] == 'active'
  if unattested and not beginningWith(ofInstance, id, 'LIMIT', 0, 1)[1] then redis.call('ZADD', idle, row[7], id) end
end
`;

/** Uses `sessions` and `ended`. */
export const ENDING = `
local function finish(id, at, reason)
  local row = read(sessions, id, 10)
  if not row or row[7] ~= '' then return 0 end
  row[7], row[8] = at, reason
  write(sessions, id, row)
  redis.call('ZADD', ended, at, id)
  return 1
end
`;
