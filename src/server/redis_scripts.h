/* redis_scripts.h - what the memory of signal/share.h does, as scripts that run within Redis, each as one step.
 * Keys, all behind a prefix: seq and id (counters), secret, birth, peers (id: node, bound, room, name, a line each), heard (id: seq),
 * said (id: the number of its newest message),
 * busy (ids), nodes (node: 0, or since when it is dead), done (node: number), beaten (when), alive:NODE (expires),
 * notes (stream), to:NODE (streams).
 * Shape    private to redis.c. The prefix is the first argument; the keys are no KEYS, so one Redis holds them all, with
 *          its replicas, and no Redis Cluster does. */
#ifndef PL_SERVER_REDIS_SCRIPTS_H
#define PL_SERVER_REDIS_SCRIPTS_H

#include "signal/share.h"

_Static_assert(PL_SHARE_ALIVE_S == 3, "as the scripts say");

/* What all begin with. */
#define PL_REDIS_COMMON                                                                                      \
    "local P, me = ARGV[1], ARGV[2]\n"                                                                       \
    "local call = redis.call\n"                                                                              \
    "local function text(n) return string.format('%.0f', n) end\n"                                           \
    "local function next_seq() return text(call('INCR', P .. 'seq')) .. '-0' end\n"                          \
    "local function read(record) return string.match(record, '^(%w*)\\n(%d)\\n([^\\n]*)\\n(.*)$') end\n"     \
    "local function note(what, id, record, by)\n"                                                            \
    "  local node, bound, room, name = read(record)\n"                                                       \
    "  call('XADD', P .. 'notes', 'MAXLEN', '~', 200000, next_seq(), 'e', what, 'i', id, 'n', node,\n"       \
    "       'b', bound, 'r', room, 'a', name, 's', by)\n"                                                    \
    "end\n"                                                                                                  \
    "local function forget(id)\n"                                                                            \
    "  call('HDEL', P .. 'peers', id)\n"                                                                     \
    "  call('HDEL', P .. 'heard', id)\n"                                                                     \
    "  call('HDEL', P .. 'said', id)\n"                                                                      \
    "  call('SREM', P .. 'busy', id)\n"                                                                      \
    "end\n"                                                                                                  \
    "local function give_ids(n)\n"                                                                           \
    "  if n == 0 then return 0 end\n"                                                                        \
    "  if tonumber(call('GET', P .. 'id') or '0') > 2147483647 - n then call('SET', P .. 'id', 0) end\n"     \
    "  return call('INCRBY', P .. 'id', n) - n + 1\n"                                                        \
    "end\n"                                                                                                  \
    "local function live()\n"                                                                                \
    "  call('SET', P .. 'alive:' .. me, 1, 'EX', 3)\n"                                                       \
    "  call('HSET', P .. 'nodes', me, 0)\n"                                                                  \
    "  call('EXPIRE', P .. 'to:' .. me, 600)\n"                                                              \
    "end\n"

/* prefix, node, ids wanted, highest id, highest seq, secret, birth, id that a new memory begins behind, room for ids that
 * nobody has told of: done, first id, secret, seq, birth, peers. */
static const char pl_redis_hello[] = PL_REDIS_COMMON
    "if tonumber(call('GET', P .. 'seq') or '0') < tonumber(ARGV[5]) then\n"
    "  call('SET', P .. 'seq', ARGV[5])\n"
    "end\n"
    "local id, highest = tonumber(call('GET', P .. 'id') or ARGV[8]), tonumber(ARGV[4])\n"
    "if id < highest and highest - id < 1073741824 then id = highest + tonumber(ARGV[9]) end\n"
    "call('SET', P .. 'id', text(id))\n"
    "call('SETNX', P .. 'secret', ARGV[6])\n"
    "call('SETNX', P .. 'birth', ARGV[7])\n"
    "live()\n"
    "return { tonumber(call('HGET', P .. 'done', me) or '0'), give_ids(tonumber(ARGV[3])), call('GET', P .. "
    "'secret'),\n"
    "         tonumber(call('GET', P .. 'seq') or '0'), call('GET', P .. 'birth'), call('HGETALL', P .. "
    "'peers') }\n";

/* prefix, node, then for each operation PL_REDIS_OP_ARGS: number, kind, id, to, seq, bound, room, name, type, data. For each
 * a pair: result, at. Several in one call, since beginning a script costs as much as a message does in it. */
enum { PL_REDIS_OP_ARGS = 10 };
static const char pl_redis_op[] = PL_REDIS_COMMON
    "local known = call('HEXISTS', P .. 'nodes', me) == 1\n"
    "local done = tonumber(call('HGET', P .. 'done', me) or '0')\n"
    "local function carry_out(number, kind, id, to, seq, has_bound, in_room, as_name, type, data)\n"
    "if not known then return 3, 0 end\n"
    "if number <= done and kind ~= 'move' then return 0, 0 end\n"
    "if number > done then done = number end\n"
    "local record = call('HGET', P .. 'peers', id)\n"
    "local node = record and read(record)\n"
    "local function said() return tonumber(call('HGET', P .. 'said', id) or '0') end\n"
    "if kind == 'send' then\n"
    "  local nth = tonumber(seq)\n"
    "  if nth > 0 and nth <= said() then return 0, 0 end\n"
    "  local target = call('HGET', P .. 'peers', to)\n"
    "  if not target then return 1, 0 end\n"
    "  if call('SISMEMBER', P .. 'busy', to) == 1 then return 2, 0 end\n"
    "  call('XADD', P .. 'to:' .. read(target), 'MAXLEN', '~', 65536, next_seq(), 't', to, 'f', id, 'y', "
    "type,\n"
    "       'd', data)\n"
    "  if nth > 0 then call('HSET', P .. 'said', id, seq) end\n"
    "elseif kind == 'join' then\n"
    "  if record and node ~= me then return 0, 0 end\n"
    "  local mine = me .. '\\n' .. has_bound .. '\\n' .. in_room .. '\\n' .. as_name\n"
    "  call('HSET', P .. 'peers', id, mine)\n"
    "  if tonumber(seq) > said() then call('HSET', P .. 'said', id, seq) end\n"
    "  if not record then\n"
    "    call('HSET', P .. 'heard', id, call('GET', P .. 'seq') or '0')\n"
    "    note('join', id, mine, me)\n"
    "  end\n"
    "elseif kind == 'leave' then\n"
    "  if record and (node == me or has_bound == '1') then\n"
    "    note('left', id, record, me)\n"
    "    forget(id)\n"
    "  end\n"
    "elseif kind == 'heard' then\n"
    "  if record and tonumber(seq) > tonumber(call('HGET', P .. 'heard', id) or '0') then\n"
    "    call('HSET', P .. 'heard', id, seq)\n"
    "  end\n"
    "elseif kind == 'busy' then\n"
    "  if record then call('SADD', P .. 'busy', id) end\n"
    "elseif kind == 'calm' then\n"
    "  call('SREM', P .. 'busy', id)\n"
    "elseif kind == 'move' then\n"
    "  if not record then return 1, 0 end\n"
    "  local _, bound, room, name = read(record)\n"
    "  local said_heard = tonumber(seq)\n"
    "  local heard = math.max(said_heard, tonumber(call('HGET', P .. 'heard', id) or '0'))\n"
    "  if node ~= me then\n"
    "    record = me .. '\\n' .. bound .. '\\n' .. room .. '\\n' .. name\n"
    "    call('HSET', P .. 'peers', id, record)\n"
    "    note('move', id, record, me)\n"
    "  end\n"
    "  local at = tonumber(call('GET', P .. 'seq') or '0')\n"
    "  call('HSET', P .. 'heard', id, text(at))\n"
    "  local from, mine = P .. 'to:' .. node, P .. 'to:' .. me\n"
    "  while heard < at do\n"
    "    local part = call('XRANGE', from, text(heard + 1) .. '-0', text(at) .. '-0', 'COUNT', 500)\n"
    "    for _, entry in ipairs(part) do\n"
    "      local f = entry[2]\n"
    "      if f[2] == id then\n"
    "        if f[9] ~= 'o' then f[9], f[10] = 'o', string.match(entry[1], '^%d+') end\n"
    "        if tonumber(f[10]) > said_heard then call('XADD', mine, next_seq(), unpack(f)) end\n"
    "      end\n"
    "    end\n"
    "    if #part < 500 then break end\n"
    "    heard = tonumber(string.match(part[#part][1], '^%d+'))\n"
    "  end\n"
    "  return 0, at\n"
    "end\n"
    "return 0, 0\n"
    "end\n"
    "local answer, last = {}, tonumber(ARGV[#ARGV - 9])\n"
    "if known and last > done then call('HSET', P .. 'done', me, text(last)) end\n"
    "for i = 3, #ARGV, 10 do\n"
    "  local result, at = carry_out(tonumber(ARGV[i]), unpack(ARGV, i + 1, i + 9))\n"
    "  answer[#answer + 1], answer[#answer + 2] = result, at\n"
    "end\n"
    "return answer\n";

/* prefix, node, ids wanted, seq to forget, seconds of grace: known, first id, seq. */
static const char pl_redis_beat[] = PL_REDIS_COMMON
    "local known = call('HEXISTS', P .. 'nodes', me)\n"
    "local t = tonumber(call('TIME')[1])\n"
    "local was_away = t - tonumber(call('GET', P .. 'beaten') or '0') >= 3\n"
    "call('SET', P .. 'beaten', t)\n"
    "if known == 1 then live() end\n"
    "local function bury(node)\n"
    "  local all = call('HGETALL', P .. 'peers')\n"
    "  for i = 1, #all, 2 do\n"
    "    if read(all[i + 1]) == node then\n"
    "      note('left', all[i], all[i + 1], '')\n"
    "      forget(all[i])\n"
    "    end\n"
    "  end\n"
    "  call('HDEL', P .. 'nodes', node)\n"
    "  call('HDEL', P .. 'done', node)\n"
    "end\n"
    "local nodes = call('HGETALL', P .. 'nodes')\n"
    "for i = 1, #nodes, 2 do\n"
    "  local node, since = nodes[i], tonumber(nodes[i + 1])\n"
    "  if node ~= me then\n"
    "    if call('EXISTS', P .. 'alive:' .. node) == 1 then\n"
    "      if since ~= 0 then call('HSET', P .. 'nodes', node, 0) end\n"
    "    elseif since == 0 or was_away then call('HSET', P .. 'nodes', node, t)\n"
    "    elseif t - since >= tonumber(ARGV[5]) then bury(node) end\n"
    "  end\n"
    "end\n"
    "if ARGV[4] ~= '0' then\n"
    "  call('XTRIM', P .. 'notes', 'MINID', ARGV[4] .. '-0')\n"
    "  call('XTRIM', P .. 'to:' .. me, 'MINID', ARGV[4] .. '-0')\n"
    "end\n"
    "return { known, give_ids(tonumber(ARGV[3])), tonumber(call('GET', P .. 'seq') or '0') }\n";

#endif
