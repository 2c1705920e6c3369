// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Shows that the connection was made, by a tracepoint, which needs neither kprobes nor ftrace. */
#include "event.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2

EVENTS_MAP(events);

SEC("raw_tp/inet_sock_set_state")
int connected(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];

	if ((int)ctx[1] == TCP_SYN_SENT && (int)ctx[2] == TCP_ESTABLISHED)
		emit_connection(ctx, &events, sk, EVENT_TARGET, 0, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
