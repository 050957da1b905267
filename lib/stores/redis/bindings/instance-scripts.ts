import { bindingScript, ENDING, LISTING, ROWS } from './binding-script.js';

/**
 * Finds everything that a request is judged by. ARGV: instance id; `id`, `hash` or `none`; what the session is looked for by.
 * Replies instance row, session id, session row, each nil where not found, and the blocked ranges.
 *
 * The DEL makes it a write that writes nothing: a replica, or a primary that has lost its replicas and is told to stop
 * then, refuses it instead of answering with what it knew before.
 */
export const LOAD = bindingScript(
  ['guard', 'instances', 'sessions', 'holders', 'blocks'],
  ROWS,
  `
redis.call('DEL', guard)
local id = ARGV[2] == 'id' and ARGV[3]
if ARGV[2] == 'hash' then id = redis.call('HGET', holders, ARGV[3]) end
local session = id and redis.call('HGET', sessions, id)
-- A hash that the session named before its refresh does not find it.
if session and ARGV[2] == 'hash' and split(session, 10)[4] ~= ARGV[3] then session = false end
local instance = redis.call('HGET', instances, ARGV[1])
local reply = { instance, session and id, session }
if instance then
  local app = split(instance, 9)[8]
  for index, block in ipairs(beginningWith(blocks, app)) do reply[3 + index] = string.sub(block, #app + 2) end
end
return reply
`,
);

const CHANGED = ['instances', 'apps', 'listed', 'idle', 'ofInstance'] as const;

/** ARGV: id, expected revision or nothing, row. */
export const SAVE = bindingScript(
  [...CHANGED],
  ROWS,
  LISTING,
  `
local known = read(instances, ARGV[1], 9)
if ARGV[2] == '' and known then return 0 end
if ARGV[2] ~= '' and (not known or known[1] ~= ARGV[2] or known[2] == 'revoked') then return 0 end
if known then unlist(ARGV[1], known) end
local row = split(ARGV[3], 9)
write(instances, ARGV[1], row)
list(ARGV[1], row)
return 1
`,
);

/** ARGV: id, time, reason, threats. A later suspension renews the earlier one: evidence from before it must not end it. */
export const SUSPEND = bindingScript(
  [...CHANGED],
  ROWS,
  LISTING,
  `
local id = ARGV[1]
local row = read(instances, id, 9)
if not row or row[2] == 'revoked' then return 0 end
local threats, seen = {}, {}
local function add(name)
  if not seen[name] then threats[#threats + 1], seen[name] = name, true end
end
if row[2] == 'suspended' then for name in string.gmatch(row[4], '%S+') do add(name) end end
local before = #threats
for index = 4, #ARGV do add(ARGV[index]) end
local renews = row[2] == 'active' or tonumber(ARGV[2]) > tonumber(row[3])
if not renews and #threats == before then return 1 end
unlist(id, row)
if renews then row[3], row[5] = ARGV[2], ARGV[3] end
row[1], row[2], row[4] = string.format('%.0f', tonumber(row[1]) + 1), 'suspended', table.concat(threats, ' ')
write(instances, id, row)
list(id, row)
return 1
`,
);

/** ARGV: id, time, reason. */
export const REVOKE = bindingScript(
  [...CHANGED, 'sessions', 'ended'],
  ROWS,
  LISTING,
  ENDING,
  `
local id = ARGV[1]
local row = read(instances, id, 9)
if not row or row[2] == 'revoked' then return 0 end
unlist(id, row)
row[1], row[2] = string.format('%.0f', tonumber(row[1]) + 1), 'revoked'
row[3], row[5] = ARGV[2], ARGV[3]
write(instances, id, row)
list(id, row)
for _, member in ipairs(beginningWith(ofInstance, id)) do finish(string.sub(member, #id + 2), ARGV[2], ARGV[3]) end
return 1
`,
);

/**
 * ARGV: the id after which to begin, how many, app id or `*`, statuses. Replies ids and rows in turn. Texts are compared
 * octet by octet: what Lua itself takes for the order depends on the locale of the server.
 */
export const FIND_INSTANCES = bindingScript(
  ['listed', 'apps', 'instances'],
  `
local function before(a, b)
  for index = 1, math.min(#a, #b) do
    local x, y = string.byte(a, index), string.byte(b, index)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local ids, limit = {}, tonumber(ARGV[2])
for _, app in ipairs(ARGV[3] == '*' and redis.call('SMEMBERS', apps) or { ARGV[3] }) do
  for index = 4, #ARGV do
    local prefix = app .. ' ' .. ARGV[index] .. ' '
    local upper = '(' .. app .. ' ' .. ARGV[index] .. '!'
    local members = redis.call('ZRANGEBYLEX', listed, '(' .. prefix .. ARGV[1], upper, 'LIMIT', 0, limit)
    for _, member in ipairs(members) do ids[#ids + 1] = string.sub(member, #prefix + 1) end
  end
end
table.sort(ids, before)
local reply = {}
for index = 1, math.min(#ids, limit) do
  reply[#reply + 1] = ids[index]
  reply[#reply + 1] = redis.call('HGET', instances, ids[index])
end
return reply
`,
);

/** ARGV: creation time before which they go, how many. Replies how many went. */
export const SWEEP_INSTANCES = bindingScript(
  [...CHANGED],
  ROWS,
  LISTING,
  `
local ids = redis.call('ZRANGEBYSCORE', idle, '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  local row = read(instances, id, 9)
  if not row or row[2] ~= 'active' or row[6] ~= 'none' then error('the index of idle instances is wrong') end
  if beginningWith(ofInstance, id, 'LIMIT', 0, 1)[1] then error('an idle instance has a session') end
  unlist(id, row)
  redis.call('HDEL', instances, id)
end
return #ids
`,
);
