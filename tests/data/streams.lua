-- Streams in every state that a restore must bring back, all named stream:*.
local c = redis.call
local full = 'stream:full'
for i = 1, 9 do c('XADD', full, i .. '-1', 'f', 'v' .. i) end
c('XGROUP', 'CREATE', full, 'g', '0')
c('XREADGROUP', 'GROUP', 'g', 'c1', 'COUNT', '3', 'STREAMS', full, '>')
c('XREADGROUP', 'GROUP', 'g', 'c2', 'COUNT', '2', 'STREAMS', full, '>')
c('XREADGROUP', 'GROUP', 'g', 'noack', 'COUNT', '1', 'NOACK', 'STREAMS', full, '>')
c('XACK', full, 'g', '1-1')
c('XDEL', full, '3-1', '9-1')
c('XCLAIM', full, 'g', 'c2', '0', '2-1', 'TIME', '1755497196412', 'RETRYCOUNT', '7')
c('XGROUP', 'CREATE', full, 'other', '4-1')
c('XGROUP', 'CREATECONSUMER', full, 'g', 'idle')

c('XGROUP', 'CREATE', 'stream:never-filled', 'g', '$', 'MKSTREAM')
c('XGROUP', 'CREATECONSUMER', 'stream:never-filled', 'g', 'x')

for i = 1, 3 do c('XADD', 'stream:emptied', i .. '-7', 'f', 'v') end
c('XDEL', 'stream:emptied', '1-7', '2-7', '3-7')

for i = 1, 3 do c('XADD', 'stream:emptied-group', i .. '-7', 'f', 'v') end
c('XGROUP', 'CREATE', 'stream:emptied-group', 'g', '2-7')
c('XTRIM', 'stream:emptied-group', 'MAXLEN', '0')

for i = 1, 3 do c('XADD', 'stream:tombstones', i .. '-7', 'f', 'v') end
c('XGROUP', 'CREATE', 'stream:tombstones', 'g', '0')
c('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'stream:tombstones', '>')
c('XDEL', 'stream:tombstones', '1-7', '2-7', '3-7')

for i = 1, 3 do c('XADD', 'stream:last-deleted', i .. '-7', 'f', 'v') end
c('XDEL', 'stream:last-deleted', '3-7')

for i = 1, 1000 do c('XADD', 'stream:trimmed', i .. '-0', 'f', 'v') end
c('XGROUP', 'CREATE', 'stream:trimmed', 'g', '0')
c('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '990', 'STREAMS', 'stream:trimmed', '>')
c('XTRIM', 'stream:trimmed', 'MAXLEN', '15')

for i = 1, 9 do c('XADD', 'stream:pending-head', i .. '-0', 'f', 'v') end
c('XGROUP', 'CREATE', 'stream:pending-head', 'g', '0')
c('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '8', 'STREAMS', 'stream:pending-head', '>')
c('XTRIM', 'stream:pending-head', 'MAXLEN', '6')
c('XDEL', 'stream:pending-head', '6-0')
return 8
