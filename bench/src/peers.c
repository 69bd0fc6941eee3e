/* DPDK's tables as plain functions: create, add, delete, look up. No logic. */

#include <stdint.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>
#include <rte_vect.h>

int peer_start(int argc, char **argv)
{
	return rte_eal_init(argc, argv) < 0 ? -rte_errno : 0;
}

/* Bytes that DPDK's heaps have in use. */
uint64_t peer_heap_bytes(void)
{
	uint64_t bytes = 0;
	for (int socket = 0; socket < RTE_MAX_NUMA_NODES; socket++) {
		struct rte_malloc_socket_stats stats;
		if (rte_malloc_get_socket_stats(socket, &stats) == 0)
			bytes += stats.heap_allocsz_bytes;
	}
	return bytes;
}

static const char *fresh_name(void)
{
	static char name[16];
	static unsigned int n;
	snprintf(name, sizeof(name), "peer%u", n++);
	return name;
}

void *peer_fib_new(int bytes, uint32_t routes, uint32_t groups)
{
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = routes,
		.dir24_8 = { .nh_sz = bytes == 2 ? RTE_FIB_DIR24_8_2B : RTE_FIB_DIR24_8_4B, .num_tbl8 = groups },
	};
	struct rte_fib *fib = rte_fib_create(fresh_name(), SOCKET_ID_ANY, &conf);
	return fib;
}

/* Whether the AVX-512 lookup is to be had; else the default one stays. */
int peer_fib_use_avx512(void *fib)
{
	return rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512) == 0;
}

int peer_fib_add(void *fib, uint32_t ip, uint8_t len, uint64_t hop) { return rte_fib_add(fib, ip, len, hop); }
int peer_fib_delete(void *fib, uint32_t ip, uint8_t len) { return rte_fib_delete(fib, ip, len); }
void peer_fib_free(void *fib) { rte_fib_free(fib); }

void peer_fib_lookup(void *fib, const uint32_t *ips, uint64_t *hops, uint32_t n)
{
	rte_fib_lookup_bulk(fib, (uint32_t *)(uintptr_t)ips, hops, n);
}

void *peer_fib6_new(uint32_t routes, uint32_t groups)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = routes,
		.trie = { .nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = groups },
	};
	return rte_fib6_create(fresh_name(), SOCKET_ID_ANY, &conf);
}

int peer_fib6_use_avx512(void *fib)
{
	return rte_fib6_select_lookup(fib, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512) == 0;
}

int peer_fib6_add(void *fib, const uint8_t *ip, uint8_t len, uint64_t hop) { return rte_fib6_add(fib, ip, len, hop); }
void peer_fib6_free(void *fib) { rte_fib6_free(fib); }

void peer_fib6_lookup(void *fib, const uint8_t *ips, uint64_t *hops, uint32_t n)
{
	rte_fib6_lookup_bulk(fib, (uint8_t (*)[16])(uintptr_t)ips, hops, n);
}

void *peer_lpm_new(uint32_t routes, uint32_t groups)
{
	struct rte_lpm_config config = { .max_rules = routes, .number_tbl8s = groups };
	return rte_lpm_create(fresh_name(), SOCKET_ID_ANY, &config);
}

int peer_lpm_add(void *lpm, uint32_t ip, uint8_t len, uint32_t hop) { return rte_lpm_add(lpm, ip, len, hop); }
void peer_lpm_free(void *lpm) { rte_lpm_free(lpm); }

/* Four at a time where there are four: the faster of rte_lpm's ways at all but the smallest bursts. */
void peer_lpm_lookup(void *lpm, const uint32_t *ips, uint32_t *hops, uint32_t n)
{
	uint32_t i = 0;
	for (; i + 4 <= n; i += 4)
		rte_lpm_lookupx4(lpm, _mm_loadu_si128((const __m128i *)(ips + i)), hops + i, 0);
	for (; i < n; i++)
		if (rte_lpm_lookup(lpm, ips[i], hops + i) != 0)
			hops[i] = 0;
}

void *peer_lpm6_new(uint32_t routes, uint32_t groups)
{
	struct rte_lpm6_config config = { .max_rules = routes, .number_tbl8s = groups };
	return rte_lpm6_create(fresh_name(), SOCKET_ID_ANY, &config);
}

int peer_lpm6_add(void *lpm, const uint8_t *ip, uint8_t len, uint32_t hop) { return rte_lpm6_add(lpm, ip, len, hop); }
void peer_lpm6_free(void *lpm) { rte_lpm6_free(lpm); }

/* No route is -1. */
void peer_lpm6_lookup(void *lpm, const uint8_t *ips, int32_t *hops, uint32_t n)
{
	rte_lpm6_lookup_bulk_func(lpm, (uint8_t (*)[16])(uintptr_t)ips, hops, n);
}
