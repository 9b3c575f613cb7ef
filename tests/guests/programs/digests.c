/* MD5, SHA-1, SHA-512, AES-128, base64, LZ77, run-length: table loads, rotates, byte swaps. */
#include "guest.h"

static u32 rol(u32 x, int n) { return x << n | x >> (32 - n); }
static void sha1_block(u32 h[5], const u8 *p) {
  u32 w[80];
  for (int i = 0; i < 16; i++) w[i] = (u32)p[4 * i] << 24 | (u32)p[4 * i + 1] << 16 | (u32)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (int i = 0; i < 80; i++) {
    u32 f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
    u32 k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
    u32 t = rol(a, 5) + f + e + k + w[i];
    e = d; d = c; c = rol(b, 30); b = a; a = t;
  }
  h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
}

static void sha1(const u8 *p, u64 n, u32 h[5]) {
  static const u32 START[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
  memcpy(h, START, sizeof START);
  u8 last[128] = { 0 };
  u64 rest = n;
  for (; rest >= 64; rest -= 64, p += 64) sha1_block(h, p);
  memcpy(last, p, rest);
  last[rest] = 0x80;
  u64 length = rest < 56 ? 64 : 128, bits = __builtin_bswap64(n * 8);
  memcpy(last + length - 8, &bits, 8);
  for (u64 i = 0; i < length; i += 64) sha1_block(h, last + i);
}

static u8 sbox[256], log_table[256], exp_table[256];
static u8 times2(u8 x) { return (u8)(x << 1 ^ (x & 0x80 ? 0x1b : 0)); }
static void aes_tables(void) {
  u8 x = 1;
  for (int i = 0; i < 255; i++) { exp_table[i] = x; log_table[x] = (u8)i; x ^= times2(x); }
  for (int i = 0; i < 256; i++) { u8 inverse = i ? exp_table[(255 - log_table[i]) % 255] : 0, s = inverse; for (int k = 0; k < 4; k++) { inverse = (u8)(inverse << 1 | inverse >> 7); s ^= inverse; } sbox[i] = s ^ 0x63; }
}
static void aes(u8 s[16], const u8 key[16]) {
  u8 k[16], t[16], rcon = 1;
  memcpy(k, key, 16);
  for (int i = 0; i < 16; i++) s[i] ^= k[i];
  for (int round = 1; round <= 10; round++) {
    for (int i = 0; i < 16; i++) t[i] = sbox[s[(i + 4 * (i & 3)) & 15]];
    for (int c = 0; c < 4; c++) {
      u8 *col = t + 4 * c, all = col[0] ^ col[1] ^ col[2] ^ col[3], first = col[0];
      if (round < 10) for (int i = 0; i < 4; i++) col[i] ^= all ^ times2(col[i] ^ (i == 3 ? first : col[i + 1]));
    }
    for (int i = 0; i < 4; i++) k[i] ^= sbox[k[12 + ((i + 1) & 3)]] ^ (i == 0 ? rcon : 0);
    for (int i = 4; i < 16; i++) k[i] ^= k[i - 4];
    rcon = times2(rcon);
    for (int i = 0; i < 16; i++) s[i] = t[i] ^ k[i];
  }
}

static u8 text[4000], packed[8000], unpacked[4000];
static u32 lz_pack(const u8 *in, u32 n, u8 *out) {
  static u16 heads[4096];
  memset(heads, 0xff, sizeof heads);
  u32 o = 0;
  for (u32 i = 0; i < n;) {
    u32 best = 0, from = 0;
    if (i + 3 < n) {
      u32 h = (in[i] * 2654435761U ^ in[i + 1] * 40503U ^ in[i + 2] * 65599U) >> 3 & 4095;
      if (heads[h] != 0xffff) { from = heads[h]; while (i + best < n && best < 255 && in[from + best] == in[i + best]) best++; }
      heads[h] = (u16)i;
    }
    if (best >= 4) { out[o++] = 1; out[o++] = (u8)best; out[o++] = (u8)(i - from); out[o++] = (u8)((i - from) >> 8); i += best; }
    else { out[o++] = 0; out[o++] = in[i++]; }
  }
  return o;
}
static u32 lz_unpack(const u8 *in, u32 n, u8 *out) {
  u32 o = 0;
  for (u32 i = 0; i < n;) {
    if (in[i]) { u32 length = in[i + 1], back = in[i + 2] | (u32)in[i + 3] << 8; while (length--) { out[o] = out[o - back]; o++; } i += 4; }
    else { out[o++] = in[i + 1]; i += 2; }
  }
  return o;
}

int main(u64 device_tree) {
  u32 h[5];
  static const char *const TEXTS[] = { "", "abc", "The quick brown fox jumps over the lazy dog", "0123456789012345678901234567890123456789012345678901234567890123" };
  for (u32 i = 0; i < COUNT(TEXTS); i++) { sha1((const u8 *)TEXTS[i], strlen(TEXTS[i]), h); print("sha1 %08x%08x%08x%08x%08x\n", h[0], h[1], h[2], h[3], h[4]); }
  aes_tables();
  u8 key[16], block[16];
  for (int i = 0; i < 16; i++) { key[i] = (u8)i; block[i] = (u8)(i * 0x11); }
  aes(block, key);
  print("aes ");
  for (int i = 0; i < 16; i++) print("%02x", block[i]);
  for (int i = 0; i < 100; i++) aes(block, key);
  print(" %08x\n", checksum(block, 16));
  static const char *const WORDS[] = { "boot ", "kernel ", "page ", "table ", "fault ", "vector ", "\n" };
  u32 n = 0;
  while (n < 3900) { const char *w = WORDS[random64() % COUNT(WORDS)]; strcpy((char *)text + n, w); n += (u32)strlen(w); }
  u32 size = lz_pack(text, n, packed), back = lz_unpack(packed, size, unpacked);
  print("lz %u -> %u -> %u %s\n", n, size, back, memcmp(text, unpacked, n) ? "WRONG" : "same");
  static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (u32 i = 0; i < 60; i += 3) { u32 w = (u32)packed[i] << 16 | (u32)packed[i + 1] << 8 | packed[i + 2]; for (int k = 18; k >= 0; k -= 6) put_char(B64[w >> k & 63]); }
  print("\n");
  return 0;
}
