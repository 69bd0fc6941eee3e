/* DPDK's inline functions and thread-local variables, as functions one can link to. No logic. */

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

int ferry_link_get_nowait(uint16_t port, struct ferry_link *link)
{
	struct rte_eth_link now;
	int failed;

	memset(&now, 0, sizeof(now));
	failed = rte_eth_link_get_nowait(port, &now);
	link->speed_mbps = now.link_speed;
	link->up = now.link_status == RTE_ETH_LINK_UP;
	link->full_duplex = now.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	return failed;
}

int ferry_errno(void)
{
	return rte_errno;
}

int ferry_may_place_memory(void)
{
	/* As DPDK asks it of a page that it has just taken; the C library has no function for it. */
	return syscall(SYS_get_mempolicy, NULL, NULL, 0UL, NULL, 0UL) == 0;
}

int ferry_thread_has_lcore(void)
{
	return rte_lcore_id() != LCORE_ID_ANY;
}

uint64_t ferry_rdtsc(void)
{
	return rte_rdtsc();
}

struct rte_mbuf *ferry_mbuf_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

void ferry_mbuf_free(struct rte_mbuf *mbuf)
{
	rte_pktmbuf_free(mbuf);
}
