/* PSTATE.PAN, UAO, DIT and SSBS: who may touch what, what exceptions do to them, how they are written. */
#include "guest.h"

#define PAN "S3_0_C4_C2_3"
#define UAO "S3_0_C4_C2_4"
#define DIT "S3_3_C4_C2_5"
#define SSBS "S3_3_C4_C2_6"
#define READ_S(reg) ({ u64 value_; __asm__ volatile("mrs %0, " reg : "=r"(value_)); value_; })
#define WRITE_S(reg, v) __asm__ volatile("msr " reg ", %0" ::"r"((u64)(v)) : "memory")

static struct { u64 esr, far, spsr, pan, uao, dit, ssbs; } got;
static u64 saved;

void on_exception(struct frame *f, u32 kind) {
  got.esr = f->esr; got.far = f->far; got.spsr = f->spsr;
  got.pan = READ_S(PAN); got.uao = READ_S(UAO); got.dit = READ_S(DIT); got.ssbs = READ_S(SSBS);
  if (f->esr >> 26 != 0x15) f->elr += 4;
  f->spsr ^= saved;
}

static NOINLINE u64 load(u64 a) { got.esr = 0; __asm__ volatile("ldr x1, [%0]" ::"r"(a) : "x1", "memory"); return got.esr; }
static NOINLINE u64 store(u64 a) { got.esr = 0; __asm__ volatile("str %0, [%0, #8]" ::"r"(a) : "memory"); return got.esr; }
static NOINLINE u64 unprivileged(u64 a) { got.esr = 0; __asm__ volatile("ldtr x1, [%0]" ::"r"(a) : "x1", "memory"); return got.esr; }
static NOINLINE u64 exclusive(u64 a) { got.esr = 0; __asm__ volatile("ldxr x1, [%0]\n stxr w2, x1, [%0]" ::"r"(a) : "x1", "x2", "memory"); return got.esr; }
static NOINLINE u64 zero(u64 a) { got.esr = 0; __asm__ volatile("dc zva, %0" ::"r"(a) : "memory"); return got.esr; }
static NOINLINE u64 at(u64 a) { got.esr = 0; __asm__ volatile("at s1e1r, %0\n isb" ::"r"(a)); return READ(par_el1); }

static u64 pages[4096] __attribute__((aligned(4096)));

static void show_fields(const char *what) {
  print("%s: pan %lx uao %lx dit %lx ssbs %lx\n", what, READ_S(PAN), READ_S(UAO), READ_S(DIT), READ_S(SSBS));
}

int main(u64 device_tree) {
  identity_map(12, 39);
  u64 va = 0x1000000000UL;
  for (u64 ap = 0; ap < 4; ap++) map_at(&identity, va + ap * 4096, (u64)pages + ap * 4096, 3, P_NORMAL | P_SHARED | P_AF | ap << 6 | P_UXN | P_PXN);
  identity_on();
  show_fields("start");
  for (u64 fields = 0; fields < 16; fields++) {
    WRITE_S(PAN, fields & 1 ? ~0UL : 0);
    WRITE_S(UAO, fields & 2 ? 1 << 23 : 0);
    WRITE_S(DIT, fields & 4 ? 1 << 24 : 0);
    WRITE_S(SSBS, fields & 8 ? 1 << 12 : 0);
    show_fields("written");
    for (u64 ap = 0; ap < 4; ap++) {
      u64 a = va + ap * 4096;
      u64 r[7] = {load(a), store(a), unprivileged(a), exclusive(a), zero(a), at(a), 0};
      register u64 x0 __asm__("x0") = a;
      __asm__ volatile(".inst 0xd5087900\n isb" : "+r"(x0)); /* at s1e1rp, x0 */
      r[6] = READ(par_el1);
      print("ap %lu: %lx %lx %lx %lx %lx par %lx %lx far %lx\n", ap, r[0], r[1], r[2], r[3], r[4], r[5], r[6], got.far);
    }
  }
  for (u64 control = 0; control < 4; control++) {
    u64 sctlr = READ(sctlr_el1) & ~(1UL << 23 | 1UL << 44);
    WRITE(sctlr_el1, sctlr | (control & 1) << 23 | (control >> 1) << 44);
    ISB();
    for (u64 fields = 0; fields < 16; fields++) {
      WRITE_S(PAN, (fields & 1) << 22); WRITE_S(UAO, (fields >> 1 & 1) << 23); WRITE_S(DIT, (fields >> 2 & 1) << 24); WRITE_S(SSBS, (fields >> 3 & 1) << 12);
      saved = 0x1c01000;
      __asm__ volatile("svc #1" ::: "memory");
      saved = 0;
      print("svc %lu %lu: spsr %lx pan %lx uao %lx dit %lx ssbs %lx\n", control, fields, got.spsr & 0x1c01fff, got.pan, got.uao, got.dit, got.ssbs);
      show_fields("back");
    }
  }
  __asm__ volatile(".inst 0xd500419f"); /* msr pan, #1 */
  __asm__ volatile(".inst 0xd500417f"); /* msr uao, #1 */
  __asm__ volatile(".inst 0xd503415f"); /* msr dit, #1 */
  __asm__ volatile(".inst 0xd503413f"); /* msr ssbs, #1 */
  show_fields("immediate 1");
  __asm__ volatile(".inst 0xd5004e9f"); /* msr pan, #14 */
  __asm__ volatile(".inst 0xd5004f7f"); /* msr uao, #15 */
  __asm__ volatile(".inst 0xd503405f"); /* msr dit, #0 */
  __asm__ volatile(".inst 0xd503403f"); /* msr ssbs, #0 */
  show_fields("immediate 2");
  got.esr = 0;
  __asm__ volatile("mov x0, %0\n .inst 0xd50330ff\n .inst 0xd50b7c20\n .inst 0xd50b7d20" ::"r"(va + 4096) : "x0"); /* sb, dc cvap, x0, dc cvadp, x0 */
  print("sb, cvap, cvadp: %lx\n", got.esr);
  return 0;
}
