import { bindingScript } from './binding-script.js';

/** ARGV: id, instance id, sortable time, JSON. */
export const RECORD_BREACH = bindingScript(
  ['breaches', 'breachTimes', 'breachesOf'],
  `
if redis.call('HSETNX', breaches, ARGV[1], ARGV[2] .. '\\0' .. ARGV[4]) == 1 then
  redis.call('ZADD', breachTimes, 0, ARGV[3] .. ARGV[1])
  redis.call('ZADD', breachesOf, 0, ARGV[2] .. '\\0' .. ARGV[3] .. ARGV[1])
end
return 1
`,
);

const FIND = `
local reply = {}
for _, member in ipairs(redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
  reply[#reply + 1] = redis.call('HGET', KEYS[2], string.sub(member, -22))
end
return reply
`;

/** ARGV: upper and lower bound, how many. Replies what is kept of each. */
export const FIND_BREACHES = bindingScript(['breachTimes', 'breaches'], FIND);

/** The same of one instance. */
export const FIND_BREACHES_OF = bindingScript(['breachesOf', 'breaches'], FIND);

/** ARGV: upper bound, how many. Replies how many went. */
export const SWEEP_BREACHES = bindingScript(
  ['breachTimes', 'breaches', 'breachesOf'],
  `
local members = redis.call('ZRANGEBYLEX', breachTimes, '-', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  local id = string.sub(member, -22)
  local kept = redis.call('HGET', breaches, id)
  redis.call('ZREM', breachesOf, string.match(kept, '^[^%z]*%z') .. member)
  redis.call('ZREM', breachTimes, member)
  redis.call('HDEL', breaches, id)
end
return #members
`,
);

/** ARGV: app id, range, note, most ranges of an app. */
export const BLOCK = bindingScript(
  ['blocks', 'blockNotes'],
  `
local app, block = ARGV[1], ARGV[1] .. ' ' .. ARGV[2]
local isNew = redis.call('HEXISTS', blockNotes, block) == 0
if isNew and redis.call('ZLEXCOUNT', blocks, '[' .. app .. ' ', '(' .. app .. '!') >= tonumber(ARGV[4]) then return 'full' end
redis.call('ZADD', blocks, 0, block)
redis.call('HSET', blockNotes, block, ARGV[3])
return 'blocked'
`,
);

/** ARGV: app id, range. */
export const UNBLOCK = bindingScript(
  ['blocks', 'blockNotes'],
  `
local block = ARGV[1] .. ' ' .. ARGV[2]
redis.call('HDEL', blockNotes, block)
return redis.call('ZREM', blocks, block)
`,
);

/** ARGV: lower and upper bound, how many. Replies blocks and notes in turn. */
export const FIND_BLOCKS = bindingScript(
  ['blocks', 'blockNotes'],
  `
local reply = {}
for _, block in ipairs(redis.call('ZRANGEBYLEX', blocks, ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
  reply[#reply + 1] = block
  reply[#reply + 1] = redis.call('HGET', blockNotes, block)
end
return reply
`,
);
