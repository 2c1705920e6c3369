// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Constants of all types that can be given before a load, and a map and programs that need not all be there. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { RED = 1, GREEN = 2, PAST = -3 };
enum wide { SMALL = 1, LARGE = 0x1234567890LL };

struct inner {
	__u16 port;
	char name[8];
};

struct settings {
	__u8 level;
	struct inner peers[2];
	union {
		__u32 as_number;
		__u8 as_bytes[4];
	};
	unsigned int bit : 1;
	void *pointer;
};

const volatile __u8 tiny = 1;
const volatile __s16 negative = -1;
const volatile __u64 large = 1;
const volatile _Bool on = 0;
const volatile enum color color = RED;
const volatile enum wide wide = SMALL;
const volatile char letter = 'a';
const volatile char name[8] = "before";
const volatile __u32 many[3] = { 1, 2, 3 };
const volatile struct settings settings = { .level = 1 };
const volatile __u32 apart SEC(".rodata.apart") = 4;
static const volatile __u32 hidden = 5;
__u32 changed = 6;
__u32 empty;
extern int CONFIG_HZ __kconfig;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} unused SEC(".maps");

/* Returns a bit for each value that is the one that tests give. */
SEC("tc")
int values(void *ctx)
{
	int same = 0;

	same |= (tiny == 200) << 0;
	same |= (negative == -300) << 1;
	same |= (large == 0x1122334455667788ULL) << 2;
	same |= (on) << 3;
	same |= (color == PAST) << 4;
	same |= (wide == LARGE) << 5;
	same |= (letter == 'z') << 6;
	same |= (name[0] == 'a' && name[4] == 'r' && name[5] == 0) << 7;
	same |= (many[0] == 7 && many[1] == 8 && many[2] == 3) << 8;
	same |= (settings.level == 9 && settings.peers[1].port == 443 && settings.peers[1].name[0] == 'w') << 9;
	same |= (settings.as_number == 0x01020304) << 10;
	same |= (apart == 44) << 11;
	same |= (hidden == 55) << 12;
	same |= (changed == 66) << 13;
	same |= (empty == 77) << 14;
	return same;
}

SEC("socket")
int with_map(void *ctx)
{
	__u32 key = 1;
	__u64 *value = bpf_map_lookup_elem(&numbers, &key);

	return value ? (int)*value : -1;
}

SEC("?socket")
int optional(void *ctx)
{
	return CONFIG_HZ;
}

char LICENSE[] SEC("license") = "GPL";
