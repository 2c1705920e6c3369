/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The trace: a log in an array map, for programs that may not write to a perf event array (netfilter, syscall,
 * flow dissector, ...). Every program type may update an array, on every kernel, so it is the one channel that all
 * cases can share. Records stand in the order in which they were added; guests have one processor, and triggers
 * of cases that use the trace fire for nobody else. harness/agent/events.py reads it (TRACE, KINDS).
 */
#ifndef BPFMATRIX_TRACE_H
#define BPFMATRIX_TRACE_H

#include "event.h"

#define TRACE_SIZE 128

struct trace_record {
	__u32 kind; /* enum event_kind */
	__u32 flags; /* enum event_flags */
	__s64 retval;
	__u64 value;
};

struct {
	__uint(type, 2); /* BPF_MAP_TYPE_ARRAY */
	__uint(max_entries, TRACE_SIZE);
	__type(key, __u32);
	__type(value, struct trace_record);
} trace SEC(".maps");

/* How many records were added; may be more than there is room for. */
struct {
	__uint(type, 2); /* BPF_MAP_TYPE_ARRAY */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} trace_cursor SEC(".maps");

static __always_inline void trace_add(enum event_kind kind, __u32 flags, __s64 retval, __u64 value)
{
	struct trace_record *record;
	__u32 zero = 0, slot;
	__u32 *cursor;

	cursor = bpf_map_lookup_elem(&trace_cursor, &zero);
	if (!cursor)
		return;
	slot = *cursor;
	*cursor = slot + 1;
	record = bpf_map_lookup_elem(&trace, &slot);
	if (!record)
		return;
	record->kind = kind;
	record->flags = flags;
	record->retval = retval;
	record->value = value;
}

/* The program ran. */
static __always_inline void trace_kind(enum event_kind kind)
{
	trace_add(kind, 0, 0, 0);
}

/* The program ran and saw a return value. */
static __always_inline void trace_retval(enum event_kind kind, __s64 retval)
{
	trace_add(kind, EVENT_HAS_RETVAL, retval, 0);
}

/* The program ran and saw a value of interest (an argument, a cookie, ...). */
static __always_inline void trace_value(enum event_kind kind, __u64 value)
{
	trace_add(kind, EVENT_HAS_VALUE, 0, value);
}

#endif
