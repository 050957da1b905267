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
 * Whether one server has all lives, as this process knows them: then claims of several buckets may go in one script. In a
 * cluster, and where somebody spreads keys over servers, it has not, or the script does not even run.
 *
 * KEYS the records; ARGV the records as known. Replies `together` or `apart`.
 */
export const TOGETHER = redisScript(`
local records = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if records[i] ~= ARGV[i] then return 'apart' end
end
return 'together'
`);

/**
 * Claims nonces, each once in the life that the caller knows; if one of the lives is over, none. The clock of the server alone
 * decides what is over: an entry goes 60 s after the last moment at which its key may win, so that no key wins twice, whatever
 * the clocks of the nodes say. (SET with PXAT does not: a time that has passed deletes the key at once, and the reply is OK
 * every time.) Of one key that comes twice, the first wins: they are set one after the other.
 *
 * KEYS the nonces, then the records of their buckets; ARGV[1] the owner of all of these, ARGV[2] the number of nonces; from
 * there on, what belongs to each key: its expiry in seconds, or the record as known. Replies `changed`, or for each nonce
 * `won`, `lost` or `over`, with blanks between.
 */
export const CLAIM = redisScript(`
local count = tonumber(ARGV[2])
local records = redis.call('MGET', unpack(KEYS, count + 1))
for i = 1, #KEYS - count do
  if records[i] ~= ARGV[2 + count + i] then return 'changed' end
end
if ARGV[1] ~= '-' and not string.find(redis.call('INFO', 'server'), 'run_id:' .. ARGV[1], 1, true) then
  return 'changed'
end
local now = tonumber(redis.call('TIME')[1])
-- How long each expiry is kept: most claims of a turn have the same one.
local kept = {}
local replies = {}
for i = 1, count do
  local expiry = ARGV[2 + i]
  if kept[expiry] == nil then
    local left = tonumber(expiry) - now
    kept[expiry] = left >= 0 and string.format('%.0f', (left + 60) * 1000)
  end
  if not kept[expiry] then
    replies[i] = 'over'
  elseif redis.call('SET', KEYS[i], '1', 'NX', 'PX', kept[expiry]) then
    replies[i] = 'won'
  else
    replies[i] = 'lost'
  end
end
return table.concat(replies, ' ')
`);
