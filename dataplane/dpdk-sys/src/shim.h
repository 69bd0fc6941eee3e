/* What bindgen reads: DPDK's headers, and by our own names what it cannot see in them. */

#ifndef FERRY_SHIM_H
#define FERRY_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_bus.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>

/* Where a field lies in an mbuf. */
enum {
	FERRY_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr), /* void * */
	FERRY_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off), /* uint16_t */
	FERRY_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len), /* uint16_t */
	FERRY_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),   /* uint32_t */
	FERRY_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),   /* uint16_t */
	FERRY_MBUF_NEXT = offsetof(struct rte_mbuf, next),         /* struct rte_mbuf * */
};

/* Flows spread over receive queues by addresses, and by ports where there are any. */
static const uint64_t FERRY_RSS_FLOWS = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

/* The same, apart. */
static const uint64_t FERRY_RSS_IPV4 = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
static const uint64_t FERRY_RSS_IPV4_PORTS = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
static const uint64_t FERRY_RSS_IPV6 =
	RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_IPV6_EX;
static const uint64_t FERRY_RSS_IPV6_PORTS = RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |
					     RTE_ETH_RSS_IPV6_TCP_EX | RTE_ETH_RSS_IPV6_UDP_EX;

/* A link's state, out of the bit field DPDK keeps it in. */
struct ferry_link {
	uint32_t speed_mbps; /* FERRY_SPEED_UNKNOWN if the device cannot tell */
	uint8_t up;
	uint8_t full_duplex;
};

static const uint32_t FERRY_SPEED_UNKNOWN = RTE_ETH_SPEED_NUM_UNKNOWN;

int ferry_link_get_nowait(uint16_t port, struct ferry_link *link);

int ferry_errno(void);
int ferry_may_place_memory(void);
int ferry_thread_has_lcore(void);
uint64_t ferry_rdtsc(void);

struct rte_mbuf *ferry_mbuf_alloc(struct rte_mempool *pool);
void ferry_mbuf_free(struct rte_mbuf *mbuf);

#endif
