/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What every case emits: one record an event. harness/agent/events.py decodes it (EVENT, KINDS). */
#ifndef BPFMATRIX_EVENT_H
#define BPFMATRIX_EVENT_H

#include "kernel.h"

#ifndef AF_INET
#define AF_INET 2
#endif
#ifndef AF_INET6
#define AF_INET6 10
#endif

/* Which program emitted it, or ran: the agent and the reports use these names in lower case, with dashes. */
enum event_kind {
	EVENT_FENTRY = 1,
	EVENT_KPROBE = 2,
	EVENT_FEXIT = 3,
	EVENT_TARGET = 4, /* a traced program of another type, its main function */
	EVENT_CALLEE = 5, /* a program reached by a tail call */
	EVENT_SUBPROG = 6, /* a function inside the target */
	EVENT_FREPLACE = 7,
	EVENT_FSESSION = 8,
	EVENT_BODY = 9, /* the rest of a program behind a tail call that fell through */
	EVENT_FENTRY_2 = 10, /* a second tracer of the same kind, where the order matters */
	EVENT_FEXIT_2 = 11,
	EVENT_FEXIT_3 = 12,
};

enum event_flags {
	EVENT_HAS_RETVAL = 1,
	EVENT_HAS_CONNECTION = 2,
	EVENT_HAS_VALUE = 4,
};

struct event {
	__u64 time_ns;
	__u32 kind;
	__u32 flags;
	__s64 retval;
	__u32 family;
	__u16 sport; /* host byte order */
	__u16 dport; /* host byte order */
	__u8 saddr[16]; /* network byte order; the first 4 for AF_INET */
	__u8 daddr[16];
};

/* A perf event array, since kernels before 5.8 have no ring buffer. */
#define EVENTS_MAP(name)                                       \
	struct {                                               \
		__uint(type, 4); /* as its number: a vmlinux.h need not have all */ \
		__uint(key_size, sizeof(__u32));               \
		__uint(value_size, sizeof(__u32));             \
	} name SEC(".maps")

/*
 * What is read of a connection, under names of our own, since a user's vmlinux.h may have these types or not. libbpf
 * leaves out what stands behind ___ when it looks for them in the kernel (libbpf.c, bpf_core_essential_name_len()).
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr___bpfmatrix {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common___bpfmatrix {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr___bpfmatrix skc_v6_daddr;
	struct in6_addr___bpfmatrix skc_v6_rcv_saddr;
};

struct sock___bpfmatrix {
	struct sock_common___bpfmatrix __sk_common;
};

#pragma clang attribute pop

struct sock;

static __always_inline void event_read_connection(struct event *event, struct sock *connection)
{
	struct sock___bpfmatrix *sk = (void *)connection;

	event->flags |= EVENT_HAS_CONNECTION;
	event->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	event->sport = BPF_CORE_READ(sk, __sk_common.skc_num);
	event->dport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (event->family == AF_INET6) {
		BPF_CORE_READ_INTO(&event->saddr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&event->daddr, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		*(__be32 *)event->saddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__be32 *)event->daddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	}
}

/* Emit what is known of a connection; `retval` counts only with EVENT_HAS_RETVAL in `flags`. */
static __always_inline void emit_connection(void *ctx, void *events, struct sock *sk, enum event_kind kind,
					    __u32 flags, __s64 retval)
{
	struct event event = {
		.time_ns = bpf_ktime_get_ns(),
		.kind = kind,
		.flags = flags,
		.retval = retval,
	};

	event_read_connection(&event, sk);
	bpf_perf_event_output(ctx, events, 0xffffffffULL /* BPF_F_CURRENT_CPU */, &event, sizeof(event));
}

#endif
