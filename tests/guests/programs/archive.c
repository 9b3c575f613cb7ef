/* Unpacks the gzip'd tar archive that it is given as initial ramdisk: inflate, CRC, ustar. */
#include "guest.h"

static const u8 *in;
static u32 bits, count;
static u8 *out;
static u8 window[1 << 18];

static u32 take(u32 n) { while (count < n) { bits |= (u32)*in++ << count; count += 8; } u32 v = bits & ((1U << n) - 1); bits >>= n; count -= n; return v; }

struct huffman { u16 counts[16], symbols[288]; };
static void build(struct huffman *h, const u8 *lengths, u32 n) {
  u16 offsets[16];
  for (u32 i = 0; i < 16; i++) h->counts[i] = 0;
  for (u32 i = 0; i < n; i++) h->counts[lengths[i]]++;
  h->counts[0] = 0;
  offsets[0] = 0;
  for (u32 i = 1; i < 16; i++) offsets[i] = (u16)(offsets[i - 1] + h->counts[i - 1]);
  for (u32 i = 0; i < n; i++) if (lengths[i]) h->symbols[offsets[lengths[i]]++] = (u16)i;
}
static u32 symbol(const struct huffman *h) {
  s32 code = 0, first = 0, index = 0;
  for (u32 length = 1; length < 16; length++) {
    code |= (s32)take(1);
    s32 n = h->counts[length];
    if (code - n < first) return h->symbols[index + code - first];
    index += n;
    first = (first + n) << 1;
    code <<= 1;
  }
  print("bad code\n");
  power_off();
}

static void inflate(void) {
  static const u16 BASES[] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258 };
  static const u8 EXTRA[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
  static const u16 DISTANCES[] = { 1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 };
  static const u8 ORDER[] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
  struct huffman literals, distances;
  u32 last;
  do {
    last = take(1);
    u32 type = take(2);
    if (type == 0) {
      bits = count = 0;
      u32 n = in[0] | (u32)in[1] << 8;
      in += 4;
      while (n--) *out++ = *in++;
      continue;
    }
    u8 lengths[320];
    if (type == 1) {
      for (u32 i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
      build(&literals, lengths, 288);
      for (u32 i = 0; i < 30; i++) lengths[i] = 5;
      build(&distances, lengths, 30);
    } else {
      u32 nl = take(5) + 257, nd = take(5) + 1, nc = take(4) + 4;
      for (u32 i = 0; i < 19; i++) lengths[ORDER[i]] = i < nc ? (u8)take(3) : 0;
      build(&literals, lengths, 19);
      for (u32 i = 0; i < nl + nd;) {
        u32 s = symbol(&literals);
        if (s < 16) { lengths[i++] = (u8)s; continue; }
        u8 value = s == 16 ? lengths[i - 1] : 0;
        u32 n = s == 16 ? 3 + take(2) : s == 17 ? 3 + take(3) : 11 + take(7);
        while (n--) lengths[i++] = value;
      }
      build(&literals, lengths, nl);
      build(&distances, lengths + nl, nd);
    }
    for (;;) {
      u32 s = symbol(&literals);
      if (s < 256) { *out++ = (u8)s; continue; }
      if (s == 256) break;
      u32 length = BASES[s - 257] + take(EXTRA[s - 257]);
      u32 d = symbol(&distances), distance = DISTANCES[d] + take(d < 4 ? 0 : (d - 2) / 2);
      while (length--) { *out = out[-(s64)distance]; out++; }
    }
  } while (!last);
}

static u32 crc32(const u8 *p, u64 n) {
  u32 crc = ~0U;
  while (n--) { crc ^= *p++; for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0); }
  return ~crc;
}
static u64 octal(const u8 *p, u32 n) { u64 v = 0; while (n-- && *p >= '0' && *p <= '7') v = v * 8 + (u64)(*p++ - '0'); return v; }
static u32 be32(const u8 *b) { return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3]; }

int main(u64 device_tree) {
  const u8 *blob = (const u8 *)device_tree;
  u64 start = 0, end = 0;
  for (const u8 *at = blob + be32(blob + 8); be32(at) != 9;) {
    u32 token = be32(at);
    at += 4;
    if (token == 1) at += (strlen((const char *)at) + 4) & ~3UL;
    if (token != 3) continue;
    const char *name = (const char *)blob + be32(blob + 12) + be32(at + 4);
    if (!strcmp(name, "linux,initrd-start")) start = be32(at + 8 + be32(at) - 4);
    if (!strcmp(name, "linux,initrd-end")) end = be32(at + 8 + be32(at) - 4);
    at += 8 + ((be32(at) + 3) & ~3U);
  }
  print("%lu bytes of ramdisk\n", end - start);
  in = (const u8 *)start + 10;
  out = window;
  inflate();
  const u8 *trailer = (const u8 *)end - 8;
  u64 size = (u64)(out - window);
  print("%lu bytes unpacked, crc %08x %s\n", size, crc32(window, size), crc32(window, size) == (trailer[0] | (u32)trailer[1] << 8 | (u32)trailer[2] << 16 | (u32)trailer[3] << 24) ? "right" : "WRONG");
  for (u8 *h = window; h < out && h[0]; ) {
    u64 n = octal(h + 124, 12);
    u32 sum = 0;
    for (u32 i = 0; i < 512; i++) sum += i >= 148 && i < 156 ? ' ' : h[i];
    print("%-30s %lu %s %08x\n", (char *)h, n, octal(h + 148, 8) == sum ? "ok" : "bad sum", checksum(h + 512, n));
    h += 512 + ((n + 511) & ~511UL);
  }
  return 0;
}
