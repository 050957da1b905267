import { redisScript } from '../client/redis-script.js';

/*
 * A *life* of a bucket is the time in which its server certainly remembers every claim. Its record, in the same slot as the
 * claims, is `<id> <owner> <since>`: a random id, the run id of the server that began it (`-` where the server is said to
 * be durable), and when, by the clock of that server, in seconds. A server that started again has another run id, whatever
 * it loaded from disk; a replica that took over has its own; a database that was emptied has no record.
 */

/**
 * Finds the life of a bucket, and begins a new one where the present one is over.
 *
 * KEYS[1] the record; ARGV[1] the id of a life that begins now; ARGV[2] `forgetful` or `durable`; ARGV[3] `1` when this
 * process knew a life of the bucket before. Replies `<id> <owner> <since> <now>`, `evicts` or `anonymous`.
 */
export const LOOK = redisScript(`
local memory = redis.pcall('INFO', 'memory')
if type(memory) == 'string' then
  local limit, policy = string.match(memory, 'maxmemory:(%d+)'), string.match(memory, 'maxmemory_policy:([%w-]+)')
  if limit and limit ~= '0' and policy and policy ~= 'noeviction' then return 'evicts' end
end
local run = '-'
if ARGV[2] == 'forgetful' then
  run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  if not run then return 'anonymous' end
end
local now = redis.call('TIME')[1]
local record = redis.call('GET', KEYS[1])
local owner = record and string.match(record, '^%S+ (%S+) %d+$')
if not owner or (run ~= '-' and owner ~= run) then
  -- A durable server that has no record has never been used, unless somebody has seen one.
  local since = (run == '-' and ARGV[3] ~= '1') and '0' or now
  record = ARGV[1] .. ' ' .. run .. ' ' .. since
  redis.call('SET', KEYS[1], record)
end
return record .. ' ' .. now
`);

/**
 * Claims a nonce, once in the life that the caller knows. The clock of the server alone decides what is over: an entry goes
 * 60 s after the last moment at which its key may win, so that no key wins twice, whatever the clocks of the nodes say.
 * (SET with PXAT does not: a time that has passed deletes the key at once, and the reply is OK every time.)
 *
 * KEYS[1] the nonce, KEYS[2] the record; ARGV[1] the record as known, ARGV[2] its owner, ARGV[3] expiry in seconds.
 * Replies `won`, `lost`, `over` or `changed`.
 */
export const CLAIM = redisScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'changed' end
if ARGV[2] ~= '-' and not string.find(redis.call('INFO', 'server'), 'run_id:' .. ARGV[2], 1, true) then
  return 'changed'
end
local left = tonumber(ARGV[3]) - tonumber(redis.call('TIME')[1])
if left < 0 then return 'over' end
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', string.format('%.0f', (left + 60) * 1000)) then return 'won' end
return 'lost'
`);
