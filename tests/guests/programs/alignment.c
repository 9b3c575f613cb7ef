/* Unaligned accesses of every kind of load and store, to Normal and Device memory, with and without SCTLR.A; across pages. */
#include "guest.h"

static u8 area[8192] __attribute__((aligned(4096)));

static u64 t0, t1;
#define CASE(name, code) static u64 name(u64 a) { __asm__ volatile(code ::"r"(a) : "x2", "x3", "x4", "memory"); return 0; }
CASE(ldr_x, "ldr x2, [%0]") CASE(ldr_w, "ldr w2, [%0]") CASE(ldrh, "ldrh w2, [%0]") CASE(ldrb, "ldrb w2, [%0]") CASE(ldrsw, "ldrsw x2, [%0]") CASE(ldrsh, "ldrsh w2, [%0]")
CASE(str_x, "str xzr, [%0]") CASE(str_w, "str wzr, [%0]") CASE(strh, "strh wzr, [%0]") CASE(ldp_x, "ldp x2, x3, [%0]") CASE(ldp_w, "ldp w2, w3, [%0]") CASE(ldpsw, "ldpsw x2, x3, [%0]")
CASE(stp_x, "stp xzr, xzr, [%0]") CASE(stp_w, "stp wzr, wzr, [%0]") CASE(ldnp, "ldnp x2, x3, [%0]") CASE(stnp, "stnp x2, x3, [%0]") CASE(ldtr, "ldtr x2, [%0]") CASE(sttr, "sttr xzr, [%0]")
CASE(ldur, "ldur x2, [%0, #-1]") CASE(stur, "stur xzr, [%0, #-3]") CASE(ldr_post, "ldr x2, [%0], #8") CASE(str_pre, "str xzr, [%0, #8]!")
CASE(ldar_x, "ldar x2, [%0]") CASE(ldar_w, "ldar w2, [%0]") CASE(ldarh, "ldarh w2, [%0]") CASE(ldarb, "ldarb w2, [%0]") CASE(stlr_x, "stlr xzr, [%0]") CASE(stlr_w, "stlr wzr, [%0]") CASE(stlrh, "stlrh wzr, [%0]")
CASE(ldxr_x, "ldxr x2, [%0]") CASE(ldxr_w, "ldxr w2, [%0]") CASE(ldaxr, "ldaxr x2, [%0]") CASE(ldxrh, "ldxrh w2, [%0]") CASE(stxr, "ldxr x2, [%0]\n stxr w3, xzr, [%0]") CASE(stxr_open, "clrex\n stxr w3, xzr, [%0]") CASE(ldxp, "ldxp x2, x3, [%0]") CASE(ldxp_w, "ldxp w2, w3, [%0]") CASE(stxp, "clrex\n stxp w4, xzr, xzr, [%0]")
CASE(ldr_q, "ldr q0, [%0]") CASE(ldr_d, "ldr d0, [%0]") CASE(str_q, "str q0, [%0]") CASE(ldp_q, "ldp q0, q1, [%0]") CASE(stp_q, "stp q0, q1, [%0]") CASE(str_s, "str s0, [%0]") CASE(ldr_h, "ldr h0, [%0]")
CASE(zva, "dc zva, %0") CASE(civac, "dc civac, %0") CASE(ivau, "ic ivau, %0") CASE(prfm, "prfm pstl1strm, [%0]")

#define ROW(name) { #name, name }
static const struct { const char *name; u64 (*f)(u64); } ROWS[] = {
  ROW(ldr_x), ROW(ldr_w), ROW(ldrh), ROW(ldrb), ROW(ldrsw), ROW(ldrsh), ROW(str_x), ROW(str_w), ROW(strh), ROW(ldp_x), ROW(ldp_w), ROW(ldpsw), ROW(stp_x), ROW(stp_w),
  ROW(ldnp), ROW(stnp), ROW(ldtr), ROW(sttr), ROW(ldur), ROW(stur), ROW(ldr_post), ROW(str_pre), ROW(ldar_x), ROW(ldar_w), ROW(ldarh), ROW(ldarb), ROW(stlr_x), ROW(stlr_w), ROW(stlrh),
  ROW(ldxr_x), ROW(ldxr_w), ROW(ldaxr), ROW(ldxrh), ROW(stxr), ROW(stxr_open), ROW(ldxp), ROW(ldxp_w), ROW(stxp), ROW(ldr_q), ROW(ldr_d), ROW(str_q), ROW(ldp_q), ROW(stp_q), ROW(str_s), ROW(ldr_h),
  ROW(zva), ROW(civac), ROW(ivau), ROW(prfm),
};

static void table(const char *title, u64 base) {
  static const u32 OFFSETS[] = { 64, 65, 66, 68, 72, 127, 4088, 4089, 4095 };
  print("%s\n", title);
  for (u32 i = 0; i < COUNT(ROWS); i++) {
    print("%-10s", ROWS[i].name);
    for (u32 k = 0; k < COUNT(OFFSETS); k++) {
      for (u32 n = 0; n < 24; n++) ((u64 *)area)[n] = ((u64 *)(area + 4032))[n] = n * 0x0102030405060708UL + 0x1122334455667788UL;
      u64 esr = probing(ROWS[i].f, base + OFFSETS[k]);
      if (esr) print(" %lx:%lx", esr, probe.far - base); else print(" %08x", checksum(area, 192) * 31 ^ checksum(area + 4032, 192));
    }
    print("\n");
  }
}

int main(u64 device_tree) {
  WRITE(cpacr_el1, 3 << 20);
  ISB();
  table("MMU off", (u64)area);
  identity_map(12, 39);
  u64 page = (u64)area, alias = 0x100000000UL;
  map_at(&identity, alias, page, 3, P_KERNEL_DATA);
  map_at(&identity, alias + 0x1000, page + 0x1000, 3, P_KERNEL_DATA);
  map_at(&identity, alias + 0x4000, page, 3, P_IO);
  map_at(&identity, alias + 0x5000, page + 0x1000, 3, P_IO);
  map_at(&identity, alias + 0x8000, page, 3, P_KERNEL_DATA);
  map_at(&identity, alias + 0xc000, page, 3, P_KERNEL_DATA);
  map_at(&identity, alias + 0xd000, page + 0x1000, 3, P_KERNEL_DATA | P_RO);
  map_at(&identity, alias + 0x10000, page, 3, P_KERNEL_DATA | P_RO);
  map_at(&identity, alias + 0x11000, page + 0x1000, 3, P_KERNEL_DATA);
  map_at(&identity, alias + 0x14000, page, 3, P_NORMAL_NC | P_AF | P_SHARED);
  map_at(&identity, alias + 0x15000, page + 0x1000, 3, P_NORMAL_NC | P_AF | P_SHARED);
  map_at(&identity, alias + 0x18000, page, 3, P_KERNEL_DATA);
  map_at(&identity, alias + 0x19000, 0x50000000, 3, P_KERNEL_DATA);
  identity_on();
  table("Normal", alias);
  table("Device", alias + 0x4000);
  table("Normal, the next page unmapped", alias + 0x8000);
  table("Normal, the next page read-only", alias + 0xc000);
  table("read-only, the next page writable", alias + 0x10000);
  table("non-cacheable", alias + 0x14000);
  table("Normal, nothing behind the next page", alias + 0x18000);
  WRITE(sctlr_el1, READ(sctlr_el1) | 2);
  ISB();
  table("Normal, checked", alias);
  table("Device, checked", alias + 0x4000);
  table("Normal, the next page unmapped, checked", alias + 0x8000);
  return (int)(t0 + t1);
}
