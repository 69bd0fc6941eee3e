-- How fast ferryd forwards, as Pktgen-DPDK sees it: the highest rate at which it loses nothing, for each frame size.
--
-- Port 0 sends, port 1 receives; ferryd is between them, configured as in README.md beside this file. For each size the
-- interval the answer lies in is halved until it is below STEP percent of the line; the greatest rate with no more than LOSS_RATIO lost
-- is the answer (RFC 2544 section 26.1 with a loss of zero, the NDR). Every trial's line is printed as it ends.
package.path = package.path .. ";?.lua;../?.lua"
require "Pktgen"

local SENDER, RECEIVER = "0", "1"
local FRAME_SIZES = { 64, 128, 256, 512, 1024, 1280, 1518 }  -- RFC 2544 section 9.1, with the checksum of the frame
local TRIAL_MS = 10000      -- how long each rate is tried
local SETTLE_MS = 2000      -- what is on its way arrives
local STEP = 1              -- percent of the line: how close is close enough
local LOSS_RATIO = 0        -- 0 for NDR; 0.005 for PDR
local FLOWS = 256           -- destinations in turn: every host of a /24

-- What ferryd's port on the left is called by, unless told otherwise: FERRY_MAC=02:... pktgen ...
local ROUTER_MAC = os.getenv("FERRY_MAC") or "02:00:00:00:00:01"

local function configure()
    pktgen.stop("all")
    pktgen.set_mac(SENDER, "dst", ROUTER_MAC)
    pktgen.set_proto(SENDER, "udp")
    pktgen.set_type(SENDER, "ipv4")
    pktgen.set(SENDER, "count", 0)
    -- Benchmarking addresses (RFC 2544, RFC 6815): nobody's hosts.
    pktgen.range.dst_mac(SENDER, "start", ROUTER_MAC)
    pktgen.range.src_ip(SENDER, "start", "198.18.0.10")
    pktgen.range.src_ip(SENDER, "inc", "0.0.0.0")
    pktgen.range.dst_ip(SENDER, "start", "198.19.0.0")
    pktgen.range.dst_ip(SENDER, "inc", "0.0.0.1")
    pktgen.range.dst_ip(SENDER, "min", "198.19.0.0")
    pktgen.range.dst_ip(SENDER, "max", string.format("198.19.0.%d", FLOWS - 1))
    pktgen.range.ip_proto(SENDER, "udp")
    pktgen.range.ttl(SENDER, "start", 64)
    pktgen.set_range(SENDER, "on")
end

local function counted(port, what)
    return pktgen.portStats(port, "port")[tonumber(port)][what]
end

-- Sends at `rate` percent of the line; returns packets sent and packets that came back.
local function trial(size, rate)
    pktgen.range.pkt_size(SENDER, "start", size)
    pktgen.range.pkt_size(SENDER, "inc", 0)
    pktgen.set(SENDER, "rate", rate)
    pktgen.clr()
    local sent_before, received_before = counted(SENDER, "opackets"), counted(RECEIVER, "ipackets")
    pktgen.start(SENDER)
    pktgen.delay(TRIAL_MS)
    pktgen.stop(SENDER)
    pktgen.delay(SETTLE_MS)
    local sent = counted(SENDER, "opackets") - sent_before
    local received = counted(RECEIVER, "ipackets") - received_before
    print(string.format("%5d B  %6.2f %%  sent %12d  received %12d  lost %10d  %8.3f Mpps", size, rate, sent, received,
        sent - received, received / TRIAL_MS / 1000))
    return sent, received
end

local function passes(sent, received)
    return sent > 0 and sent - received <= sent * LOSS_RATIO
end

-- The greatest rate that passes, in percent of the line, and what was received at it.
local function highest_rate(size)
    local sent, received = trial(size, 100)
    if passes(sent, received) then return 100, received end
    local low, high, best = 0, 100, 0
    while high - low > STEP do
        local rate = (low + high) / 2
        sent, received = trial(size, rate)
        if passes(sent, received) then
            low, best = rate, received
        else
            high = rate
        end
    end
    return low, best
end

configure()
pktgen.delay(1000)
local results = {}
for _, size in ipairs(FRAME_SIZES) do
    local rate, received = highest_rate(size)
    results[#results + 1] = string.format("%5d B  %6.2f %% of the line  %8.3f Mpps", size, rate, received / TRIAL_MS / 1000)
end
print("frame size, highest rate without loss:")
for _, line in ipairs(results) do print(line) end
pktgen.quit()
