import { bindingScript, ENDING, LISTING, ROWS } from './binding-script.js';

/** Uses `holders`, and what `ENDING` uses. Ends the session that names a hash, and tells whether there is one, ended long ago or not. */
const HOLDER = `
local function endHolder(hash, at)
  local holder = redis.call('HGET', holders, hash)
  if holder then finish(holder, at, '"credential_taken"') end
  return holder
end
`;

/** ARGV: id, row. */
export const BIND = bindingScript(
  ['instances', 'sessions', 'holders', 'ofInstance', 'ofSubject', 'expiring', 'ended', 'idle'],
  ROWS,
  ENDING,
  HOLDER,
  `
local id, row = ARGV[1], split(ARGV[2], 10)
local instance = read(instances, row[1], 9)
if not instance or instance[2] ~= 'active' then return 'instance_inactive' end
if row[4] ~= '' and endHolder(row[4], row[2]) then return 'credential_taken' end
if redis.call('HEXISTS', sessions, id) == 1 then return 'exists' end
write(sessions, id, row)
for index = 4, 5 do if row[index] ~= '' then redis.call('HSET', holders, row[index], id) end end
redis.call('ZADD', ofInstance, 0, row[1] .. ' ' .. id)
redis.call('ZADD', ofSubject, 0, row[10] .. ' ' .. id)
redis.call('ZADD', expiring, row[3], id)
if row[7] ~= '' then redis.call('ZADD', ended, row[7], id) end
redis.call('ZREM', idle, row[1])
return 'bound'
`,
);

/** ARGV: id, instance id, credential hash, until when the former is valid, time. */
export const REBIND = bindingScript(
  ['sessions', 'holders', 'ended'],
  ROWS,
  ENDING,
  HOLDER,
  `
local id, hash, now = ARGV[1], ARGV[3], ARGV[5]
local row = read(sessions, id, 10)
if not row or row[1] ~= ARGV[2] or row[7] ~= '' or tonumber(now) >= tonumber(row[3]) then return 'session_inactive' end
-- A refresh that brings the credential the session names already changes nothing.
if row[4] == hash then return 'rebound' end
if endHolder(hash, now) then return 'credential_taken' end
if row[5] ~= '' then redis.call('HDEL', holders, row[5]) end
row[4], row[5], row[6] = hash, row[4], row[4] == '' and '' or ARGV[4]
write(sessions, id, row)
redis.call('HSET', holders, hash, id)
return 'rebound'
`,
);

/** ARGV: id, time, reason. */
export const END_SESSION = bindingScript(
  ['sessions', 'ended'],
  ROWS,
  ENDING,
  'return finish(ARGV[1], ARGV[2], ARGV[3])',
);

/** ARGV: hash of the subject, time, reason. Replies how many ended. */
export const END_SESSIONS = bindingScript(
  ['sessions', 'ended', 'ofSubject'],
  ROWS,
  ENDING,
  `
local count = 0
for _, member in ipairs(beginningWith(ofSubject, ARGV[1])) do
  count = count + finish(string.match(member, '[^ ]+$'), ARGV[2], ARGV[3])
end
return count
`,
);

/** ARGV: hash of the subject, how many. Replies ids and rows in turn, newest first. */
export const FIND_SESSIONS = bindingScript(
  ['ofSubject', 'sessions'],
  `
local reply = {}
local members = redis.call('ZREVRANGEBYLEX', ofSubject, '(' .. ARGV[1] .. '!', '[' .. ARGV[1] .. ' ', 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  local id = string.match(member, '[^ ]+$')
  reply[#reply + 1] = id
  reply[#reply + 1] = redis.call('HGET', sessions, id)
end
return reply
`,
);

/** ARGV: time before which they expired or ended, how many. Replies how many went. */
export const SWEEP_SESSIONS = bindingScript(
  ['instances', 'apps', 'listed', 'idle', 'sessions', 'holders', 'ofInstance', 'ofSubject', 'expiring', 'ended'],
  ROWS,
  LISTING,
  `
local function forget(id)
  local row = read(sessions, id, 10)
  if not row then error('the index of sessions is wrong') end
  redis.call('HDEL', sessions, id)
  for index = 4, 5 do
    if row[index] ~= '' and redis.call('HGET', holders, row[index]) == id then redis.call('HDEL', holders, row[index]) end
  end
  redis.call('ZREM', ofInstance, row[1] .. ' ' .. id)
  redis.call('ZREM', ofSubject, row[10] .. ' ' .. id)
  redis.call('ZREM', expiring, id)
  redis.call('ZREM', ended, id)
  -- An instance without attestation may go once its last session has.
  local instance = read(instances, row[1], 9)
  if instance then list(row[1], instance) end
end
local left = tonumber(ARGV[2])
for _, index in ipairs({ expiring, ended }) do
  if left > 0 then
    local ids = redis.call('ZRANGEBYSCORE', index, '-inf', '(' .. ARGV[1], 'LIMIT', 0, left)
    for _, id in ipairs(ids) do forget(id) end
    left = left - #ids
  end
end
return tonumber(ARGV[2]) - left
`,
);
