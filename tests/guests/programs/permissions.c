/* Every combination of AP, UXN, PXN, WXN and the tables' attributes, tried from EL1 and EL0 for read, write and execution. */
#include "guest.h"

u64 enter_user(u64 pc, u64 argument, u64 *save);
void leave_user(void);
__asm__(".text\nenter_user:\n stp x29, x30, [sp, #-96]!\n stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"
        " mov x3, sp\n str x3, [x2]\n msr elr_el1, x0\n mov x4, #0x3c0\n msr spsr_el1, x4\n mov x0, x1\n eret\n"
        ".global leave_user\nleave_user:\n mov sp, x1\n ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n ldp x25, x26, [sp, #64]\n ldp x27, x28, [sp, #80]\n ldp x29, x30, [sp], #96\n ret\n"
        ".section .user.text, \"ax\"\n.balign 4\nuser_read: ldr x1, [x0]\n svc #0\nuser_write: str x0, [x0, #8]\n svc #0\nuser_execute: br x0\nuser_atomic: ldxr x1, [x0]\n stxr w2, x1, [x0]\n svc #0\nuser_zero: dc zva, x0\n svc #0\nuser_cvau: dc cvau, x0\n svc #0\n.text\n");
extern char user_read[], user_write[], user_execute[], user_atomic[], user_zero[], user_cvau[], user_start[];

static u64 kernel_sp;
static struct { u64 esr, far; } got;

void on_exception(struct frame *f, u32 kind) {
  got.esr = f->esr;
  got.far = f->far;
  if (kind < 8) {
    if (probe.taken == 9) { f->elr = f->x[30]; return; }
    if (f->esr >> 26 == 0x21) { f->elr = f->x[30]; return; }
    if (f->esr >> 26 == 0x3c || f->esr >> 26 == 0x15) { f->elr = f->x[30]; return; }
    f->elr += 4;
    return;
  }
  f->x[0] = f->esr;
  f->x[1] = kernel_sp;
  f->elr = (u64)leave_user;
  f->spsr = 0x3c5;
}

static u64 user(char *code, u64 argument) {
  got.esr = got.far = 0;
  u64 esr = enter_user((u64)code, argument, &kernel_sp);
  if (esr == 0x56000000) got.far = 0;
  return esr == 0x56000000 ? 0 : esr;
}

static NOINLINE u64 kernel_read(u64 a) { got.esr = 0; __asm__ volatile("ldr x1, [%0]" ::"r"(a) : "x1", "memory"); return got.esr; }
static NOINLINE u64 kernel_write(u64 a) { got.esr = 0; __asm__ volatile("str %0, [%0, #8]" ::"r"(a) : "memory"); return got.esr; }
static NOINLINE u64 kernel_unprivileged(u64 a, int write) {
  got.esr = 0;
  if (write) __asm__ volatile("sttr %0, [%0, #8]" ::"r"(a) : "memory"); else __asm__ volatile("ldtr x1, [%0]" ::"r"(a) : "x1", "memory");
  return got.esr;
}
static NOINLINE u64 kernel_execute(u64 a) { got.esr = 0; __asm__ volatile("blr %0" ::"r"(a) : "x30", "memory"); return got.esr == 0x56000042 ? 0 : got.esr; }

static u32 target[1024] __attribute__((aligned(65536)));

int main(u64 device_tree) {
  identity_map(MMU_PAGE, MMU_BITS);
  target[0] = 0xd4000841; /* svc #0x42, then back */
  u64 page = 1UL << MMU_PAGE;
  for (u64 va = (u64)image_start; va < (u64)text_end; va += page) { /* WXN makes what is writable not executable */
    u64 block = 1UL << block_log2(&identity, 2);
    u64 base = va & -block, *entry = space_entry(&identity, va, 2, 1);
    if ((*entry & 3) == 1) { u64 *table = page_alloc(MMU_PAGE); for (u64 i = 0; i < block / page; i++) table[i] = (base + i * page) | P_KERNEL | 3; *entry = (u64)table | 3; }
    map_at(&identity, va, va, 3, va < (u64)user_start ? P_KERNEL | P_RO : P_NORMAL | P_SHARED | P_AF | P_USER | P_RO | P_PXN);
  }
  u64 va = MMU_BITS > 36 ? 0x1000000000UL : 0x80000000UL;
  map_at(&identity, va, (u64)target, 3, 0);
  u64 *leaf = space_entry(&identity, va, 3, 0), *table = space_entry(&identity, va, 2, 0), table_plain = *table;
  identity_on();
#ifdef HPD /* TCR_EL1.HPD0: the attributes of tables do not count. */
  WRITE(tcr_el1, READ(tcr_el1) | 1UL << 41);
  ISB();
#endif
#ifdef E0PD /* TCR_EL1.E0PD0: EL0 has no low addresses. */
  WRITE(tcr_el1, READ(tcr_el1) | 1UL << 55);
  ISB();
#endif
  u64 sctlr = READ(sctlr_el1);
  for (u64 tables = 0; tables < 16; tables += MMU_PAGE == 12 ? 1 : 15) {
    *table = table_plain | tables << 59;
    for (u64 wxn = 0; wxn < 2; wxn++) {
      WRITE(sctlr_el1, sctlr | wxn << 19 | 0x4000 | 1 << 26);
      ISB();
      print("tables: PXN %lu UXN %lu AP %lu, WXN %lu\n", tables & 1, tables >> 1 & 1, tables >> 2 & 3, wxn);
      for (u64 bits = 0; bits < 32; bits++) {
        u64 attributes = P_NORMAL | P_SHARED | (bits & 1 ? P_AF : 0) | (bits & 6) << 5 | (bits >> 3 & 1) << 53 | (bits >> 4 & 1) << 54 | (tables & 8 ? P_NG : 0);
        if (!(bits & 1) && bits > 1 && bits != 31) continue;
        *leaf = (u64)target | attributes | 3;
        tlbi_all();
        print("%x: EL1 %lx %lx %lx %lx %lx", (u32)bits, kernel_read(va), kernel_write(va), kernel_execute(va), kernel_unprivileged(va, 0), kernel_unprivileged(va, 1));
        print(" EL0 %lx %lx %lx", user(user_read, va), user(user_write, va), user(user_execute, va) == 0x56000042 ? 0 : got.esr);
        print(" %lx %lx %lx far %lx\n", user(user_atomic, va), user(user_zero, va), user(user_cvau, va), got.far);
      }
    }
  }
  return 0;
}
